import * as z from 'zod-own'
import { type Statement, sql } from '../sql.ts'

/** Bytes of all that a session, a user or an app has in its state, as JSON. */
export const MOST_STATE_BYTES = 256 * 1024

const KEY = /^(?:(?:temp|session|user|app):)?[^:/\p{Cc}\p{Cs}]{1,255}$/u
const SAYS = 'must be 1 to 255 characters without ":", "/" or control characters, after temp:, session:, user:, app: or nothing'

export const StateKey = z.string().regex(KEY, SAYS)

/** State as a caller gives it. A key without a prefix and the same with `session:` are one, and cannot both be given. */
export const State = z.record(z.string(), z.json(), 'must be a JSON object').superRefine((state, context) => {
  const issue = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message })
  for (const key of Object.keys(state)) {
    if (!KEY.test(key)) issue(key, SAYS)
    if (Object.hasOwn(state, `session:${key}`)) issue(key, `is the same as session:${key}`)
  }
})
export type State = z.infer<typeof State>

/** Whose a key is: a session's own, or shared by all sessions of its user or its app. */
export type Owner = 'session' | 'user' | 'app'
export const ownerOf = (key: string): Owner => (key.startsWith('user:') ? 'user' : key.startsWith('app:') ? 'app' : 'session')
export const SHARED = ['app', 'user'] as const
export type Shared = (typeof SHARED)[number]

/** The part of some state that is this owner's; null when none is. */
export function partOf(state: State, owner: Owner): State | null {
  const part = Object.entries(state).filter(([key]) => ownerOf(key) === owner)
  return part.length > 0 ? Object.fromEntries(part) : null
}

/** Where the shared state of a session `s` lies. */
const placeOf = (owner: Shared): Statement => (owner === 'app' ? sql`s.app_namespace` : sql`s.namespace`)

/** The shared state `t` of the session that `mine` (over `s`) picks. Asked for apart: a join of the two reads all that the tenant shares. */
export const sharedOf = (mine: Statement, owner: Shared): Statement =>
  sql`t.tenant_id = current_tenant() and t.namespace = (select ${placeOf(owner)} from sessions s where ${mine})`

/** The key as `s` spells it. */
export const spelled = (key: string): Statement =>
  sql`(case when s.state ? other_spelling(${key}) then other_spelling(${key}) else ${key} end)`

/** How new state comes to what is there: a merge patch, or in its place key by key. */
export type Joining = 'merge' | 'replace'

/** What becomes of `state`, in which the keys of `given` are spelled alike. */
export const joined = (state: Statement, given: Statement, how: Joining): Statement =>
  how === 'merge' ? sql`merge_patch(${state}, ${given})` : sql`(${state} || ${given})`

/** How a refusal names what the caller sent. */
export interface Sent {
  /** All of it. */
  path: string
  of(key: string): string
}

/**
 * Writes shared keys of the session that `where` (over `s`) picks, which must be locked. Refuses `invalid` for `user:` in
 * a session without a user, `forbidden` for `app:` outside the grant.
 */
export function shareState(where: Statement, given: State, how: Joining, sent: Sent, now: string): Statement[] {
  return SHARED.flatMap((owner) => {
    const part = partOf(given, owner)
    if (!part) return []
    const json = JSON.stringify(part)
    return [
      mayShare(where, owner, Object.keys(part).map(sent.of)),
      sql`insert into shared_state as t (tenant_id, namespace, state, updated_at)
        select current_tenant(), ${placeOf(owner)}, ${joined(sql`'{}'::jsonb`, sql`${json}::jsonb`, how)}, ${now}::timestamptz from sessions s where ${where}
        on conflict (tenant_id, namespace) do update
          set state = ${joined(sql`t.state`, sql`${json}::jsonb`, how)}, version = t.version + 1, updated_at = excluded.updated_at`,
      refuseLarge(sql`t.state`, sql`shared_state t where ${sharedOf(where, owner)}`, sent),
    ]
  })
}

/** Guards: a session without a user has no state of his, and the app's is for whom the app is granted to. */
function mayShare(where: Statement, owner: Shared, paths: readonly string[]): Statement {
  if (owner === 'app') {
    return sql`select refuse('forbidden', format('The key has no grant for what all sessions of this app share, which is %s.', s.app_namespace))
      from sessions s where ${where} and not visible(${placeOf(owner)})`
  }
  const message = 'needs a session with a userId'
  const errors = JSON.stringify({ errors: paths.map((path) => ({ path, message })) })
  return sql`select refuse('invalid', ${`${paths[0]}: ${message}`}, ${errors}::jsonb) from sessions s where ${where} and s.user_id is null`
}

/** For the list of an `update sessions s set`, with its comma; nothing when none of `given` is the session's own. */
export function ownState(given: State, how: Joining): Statement {
  const part = partOf(given, 'session')
  if (!part) return sql``
  return sql`state = ${joined(sql`s.state`, sql`spelled_as_in(s.state, ${JSON.stringify(part)}::jsonb)`, how)},`
}

/** Guard: the state `from` somewhere fits after what has been written. */
export function refuseLarge(state: Statement, from: Statement, { path }: Sent): Statement {
  const message = `would make the state larger than ${MOST_STATE_BYTES} bytes`
  return sql`select refuse('invalid', ${`${path}: ${message}`}, ${JSON.stringify({ errors: [{ path, message }] })}::jsonb)
    from ${from} and octet_length(${state}::text) > ${MOST_STATE_BYTES}::int`
}
