import type { Caller } from '@twofold/operation/caller.ts'
import type { Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { change } from './change.ts'
import { noKey, type StateAnswer, type StateRow, selectState } from './read-state.ts'
import { nextVersion, RUNNING } from './session.ts'
import { ownerOf, ownState, refuseLarge, type Sent, type Shared, sharedOf, shareState, spelled } from './state.ts'

const ENDED = 'The session is %s: its state does not change any more.'

/**
 * Sets one key of the state of a session that has not ended. `If-Match` names the version of where the key lies. Refuses
 * `not_found`, `version_mismatch`, `invalid_transition`, `invalid` for `user:` without a user and for state that grows too
 * large, `forbidden` for `app:` outside the grant.
 */
export async function putState(
  deps: Deps,
  caller: Caller,
  id: string,
  key: string,
  value: StateAnswer['value'],
): Promise<Written<StateAnswer>> {
  const owner = ownerOf(key)
  const sent: Sent = { path: 'value', of: () => 'key' }
  const { row, replay } = await change(deps, caller, id, {
    action: 'sessions.put_state',
    from: RUNNING,
    otherwise: ENDED,
    versioned: owner === 'session',
    statements: (mine, now) => [
      ...(owner === 'session' ? [] : [expectShared(mine, owner, caller.ifMatch)]),
      sql`update sessions s set ${ownState({ [key]: value }, 'replace')} ${nextVersion(now)} where ${mine}`,
      ...(owner === 'session' ? [refuseLarge(sql`s.state`, sql`sessions s where ${mine}`, sent)] : []),
      ...shareState(mine, { [key]: value }, 'replace', sent, now),
    ],
    answer: (mine): Statement<StateRow> => selectState(mine, key),
    noted: (mine) => (owner === 'session' ? sql`s.version` : sql`(select t.version from shared_state t where ${sharedOf(mine, owner)})`),
  })
  const version = replay ? (replay.targets[0]?.version as number) : row.version
  return { answer: { key, value, version }, replayed: replay !== null }
}

/** Takes one key away. Refuses `not_found`, `version_mismatch`, `invalid_transition`. */
export async function deleteState(deps: Deps, caller: Caller, id: string, key: string): Promise<Written<{ deleted: true }>> {
  const owner = ownerOf(key)
  const { replay } = await change(deps, caller, id, {
    action: 'sessions.delete_state',
    from: RUNNING,
    otherwise: ENDED,
    versioned: owner === 'session',
    statements: (mine, now) => [
      sql`select refuse('not_found', ${noKey().message}) where not exists (select from (${selectState(mine, key)}) k where k.there)`,
      ...(owner === 'session'
        ? [sql`update sessions s set state = s.state - ${spelled(key)}, ${nextVersion(now)} where ${mine}`]
        : [
            expectShared(mine, owner, caller.ifMatch),
            sql`update shared_state t set state = t.state - ${key}, version = t.version + 1, updated_at = ${now}::timestamptz
              where ${sharedOf(mine, owner)}`,
            sql`update sessions s set ${nextVersion(now)} where ${mine}`,
          ]),
    ],
    answer: () => sql<object>`select`,
  })
  return { answer: { deleted: true }, replayed: replay !== null }
}

/** Locks what is shared, and holds it against the version that the caller named. */
const expectShared = (mine: Statement, owner: Shared, version: number | null): Statement => sql`
  with it as (select t.version from shared_state t where ${sharedOf(mine, owner)} for no key update),
  now as (select coalesce((select version from it), 0) as version)
  select refuse('version_mismatch', format('The state is at version %s.', now.version), jsonb_build_object('currentVersion', now.version))
  from now where now.version <> ${version}::int`
