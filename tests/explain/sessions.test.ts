import { randomUUID } from 'node:crypto'
import type { Database, Deps } from '@twofold/core/ports.ts'
import { appendEvents } from '@twofold/core/sessions/append.ts'
import { deleteSession } from '@twofold/core/sessions/delete.ts'
import { endSession } from '@twofold/core/sessions/end.ts'
import { type EventsQuery, listEvents } from '@twofold/core/sessions/events.ts'
import { listSessions, type SessionsQuery } from '@twofold/core/sessions/list.ts'
import { moveSession } from '@twofold/core/sessions/move.ts'
import { readSession } from '@twofold/core/sessions/read.ts'
import { readState } from '@twofold/core/sessions/read-state.ts'
import { startSession } from '@twofold/core/sessions/start.ts'
import { deleteState, putState } from '@twofold/core/sessions/write-state.ts'
import { raw, sql } from '@twofold/core/sql.ts'
import { asOwner } from '@twofold/postgres/owner.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MigratedDatabase } from '../database.ts'
import { keyOf, TENANT } from './fill.ts'
import { waysWithin, wide } from './plan.ts'
import { caller, FILLING_MS, type Filled, GRANTS, type Grant, onFilled } from './world.ts'

/** 100,000 sessions, of which one has 100,000 events, on the Postgres server that TEST_DATABASE_URL names; else a tenth of both. */
const SIZE = process.env.TEST_DATABASE_URL ? 100_000 : 10_000
const KEPT = 1000
const PAGE = 200

let deps: Deps
let inner: Database
let during: Filled['during']
let close: Filled['close']
beforeAll(async () => {
  ;({ deps, inner, during, close } = await onFilled(fill))
}, FILLING_MS)
afterAll(() => close())

const fill = (database: MigratedDatabase) =>
  asOwner(database.owner)([
    raw(`select set_config('search_path', 'twofold, public', true), set_config('session_replication_role', 'replica', true)`),
    sql`insert into tenants (uuid, name, created_at) values (${TENANT}::uuid, 'asking', now())`,
    sql`insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
      select t.id, gen_random_uuid(), 'key', k.hash, '{admin}', array[k.grants], now()
      from tenants t, unnest(${GRANTS}::text[], ${GRANTS.map(keyOf)}::bytea[]) k (grants, hash)`,
    sql`insert into sessions (tenant_id, id, name, namespace, app_name, user_id, project_id, status, state, metadata, last_seq, archived_seq, created_at, updated_at)
      select t.id, lpad(to_hex(i), 32, '0')::uuid, 'session ' || i, 'user:u' || i % 1000, 'app ' || i % 7, 'u' || i % 1000,
        case when i % 3 = 0 then 'project ' || i % 500 end, case i % 20 when 0 then 'active' when 1 then 'paused' when 2 then 'created' when 3 then 'archived' else 'terminated' end,
        '{"session:x": 1}', '{}', case when i = 20 then ${SIZE}::int else archived + 10 end, case when i = 20 then ${SIZE - KEPT}::int else archived end, at, at
      from tenants t, generate_series(1, ${SIZE}::int) i cross join lateral (
        select '2026-01-01'::timestamptz + i * interval '10 s', case when i % 200 = 7 then ${5 * PAGE}::int else 0 end) a (at, archived)`,
    raw(`insert into session_events (tenant_id, session_id, seq, event, bytes, created_at)
      select tenant_id, id, seq, '{"type":"tool"}', 15, created_at from sessions, generate_series(archived_seq + 1, last_seq) seq`),
    sql`insert into archived_events (tenant_id, session_id, last_seq, tasks, events)
      select tenant_id, id, last, '{}', (
        select json_agg(json_build_object('seq', seq, 'event', '{"type":"tool"}'::json, 'bytes', 15, 'task_id', null, 'created_at', created_at) order by seq)
        from generate_series(last - ${PAGE - 1}::int, last) seq)
      from sessions, generate_series(${PAGE}::int, archived_seq, ${PAGE}::int) last`,
    raw(`insert into shared_state (tenant_id, namespace, state, updated_at)
      select t.id, namespace, '{"user:x": 1}', now() from tenants t, (select 'user:u' || i from generate_series(0, 999) i union all select 'app:app ' || i from generate_series(0, 6) i) n (namespace)`),
    raw(`insert into ledger (tenant_id, id, kind, subject, bucket, revision, shown, owed_since)
      select tenant_id, id, 'session', subject, bucket_of(id), 1, 1, now() from sessions`),
    raw('analyze'),
  ])

const LONG = 'session 20'
const listed = (query: Partial<SessionsQuery>, grant?: Grant) => listSessions(deps, caller(grant), { limit: 50, ...query })
const events = (query: Partial<EventsQuery>) => listEvents(deps, caller(), LONG, { after: 0, limit: 50, ...query })
const after = { id: '00000000-0000-0000-0000-000000000400' }
const BY_NAME = 'sessions_by_name (tenant_id, name)'

test.each<[string, () => Promise<unknown>, string[], string[]?]>([
  ['a session', () => readSession(deps, caller(), LONG), [BY_NAME]],
  ['a key of its state', () => readState(deps, caller(), LONG, 'session:x'), [BY_NAME]],
  ['a key that is shared', () => readState(deps, caller(), LONG, 'user:x'), [BY_NAME, 'shared_state_pkey (tenant_id, namespace)']],
  ['sessions by status', () => listed({ status: 'active' }), ['sessions_by_status (tenant_id, status)']],
  ['the next page of them', () => listed({ status: 'active', after }), ['sessions_by_status (tenant_id, status, id)']],
  [
    'sessions by status and update',
    () => listed({ status: 'active', updatedSince: '2026-01-01T12:00:00Z' }),
    ['sessions_by_status_and_update (tenant_id, status, updated_at)'],
  ],
  [
    'the next page of them',
    () => listed({ status: 'active', updatedSince: '2026-01-01T12:00:00Z', after: { ...after, at: '2026-01-01T12:00:00.000Z' } }),
    [expect.stringMatching(/^sessions_by_status_and_update \(tenant_id, status, updated_at(, id)?\)$/) as unknown as string],
  ],
  [
    'sessions by update',
    () => listed({ updatedSince: '2026-01-01T12:00:00Z' }),
    ['sessions_by_status_and_update (tenant_id, status, updated_at)'],
  ],
  ['sessions by user and creation', () => listed({ userId: 'u7' }), ['sessions_by_user (tenant_id, namespace)']],
  ['the next page of them', () => listed({ userId: 'u7', after }), ['sessions_by_user (tenant_id, namespace, id)']],
  ['sessions by project', () => listed({ projectId: 'project 9' }), ['sessions_by_project (tenant_id, project_id)']],
  [
    'sessions by app and user',
    () => listed({ appName: 'app 3', userId: 'u7' }),
    ['sessions_by_app_and_user (tenant_id, app_name, user_id)'],
  ],
  ['all that a narrow key may see', () => listed({}, 'user:u7'), ['sessions_by_user (tenant_id, namespace)']],
  ['the next page of everything', () => listed({ after }), ['sessions_pkey (tenant_id, id)']],
  // In the order of the ids, until the page is full.
  ['everything', () => listed({}), [], ['sessions_pkey (tenant_id)']],
  [
    'events that are archived',
    () => events({}),
    [BY_NAME, 'archived_events_pkey (tenant_id, session_id, last_seq)', 'session_events_pkey (tenant_id, session_id, seq)'],
  ],
  ['events that are not', () => events({ after: SIZE - 20 }), [BY_NAME, 'session_events_pkey (tenant_id, session_id, seq)']],
  ['events of a task', () => events({ taskId: 'x' }), ['archived_events_pkey (tenant_id, session_id, last_seq)']],
  [
    'an append to a long session',
    () => appendEvents(deps, caller(), LONG, { event: { n: 1 }, stateDelta: { x: 1, 'user:x': 1, 'app:x': 1 } }),
    [BY_NAME, 'shared_state_pkey (tenant_id, namespace)'],
  ],
  ['a key that is set', () => putState(deps, caller(), LONG, 'app:y', 1), [BY_NAME, 'shared_state_pkey (tenant_id, namespace)']],
  ['a key that is taken away', () => deleteState(deps, caller(), LONG, 'app:y'), [BY_NAME, 'shared_state_pkey (tenant_id, namespace)']],
  // There are no memories here: how they are reached is held where there are.
  [
    'a start',
    () => startSession(deps, caller(), { id: randomUUID(), appName: 'app 3', userId: 'u7', state: { 'user:x': 1 } }),
    [BY_NAME, 'shared_state_pkey (tenant_id, namespace)'],
    ['all of memories'],
  ],
  ['a move', () => moveSession(deps, caller(), LONG, 'paused'), [BY_NAME]],
  ['an end', () => endSession(deps, caller(), LONG), [BY_NAME]],
  [
    'a deletion',
    () => deleteSession(deps, caller(), 'session 40'),
    [BY_NAME],
    ['all of memories', 'all of memory_versions', 'all of idempotency_keys'],
  ],
])('%s goes by the indexes meant for it', async (_, work, ways, allowed = []) => {
  const seen = await during(work)
  expect([...seen]).toEqual(expect.arrayContaining(ways))
  expect(wide(seen).filter((way) => !allowed.includes(way))).toEqual([])
})

describe('inside the database', () => {
  const asTenant = (statements: readonly any[]) => inner.asTenant(TENANT, statements)

  test('events are archived by their numbers', async () => {
    const call = sql`select archive_events(s.id, s.archived_seq + 100, 1000000) from sessions s where s.tenant_id = current_tenant() and s.name = ${LONG}`
    expect(await waysWithin(asTenant, call, 'twofold.session_events')).toEqual(['session_events_pkey'])
  })

  test('what sessions share is found by where it lies', async () => {
    const call = sql`select session_json(s) from sessions s where s.tenant_id = current_tenant() and s.name = ${LONG}`
    expect(await waysWithin(asTenant, call, 'twofold.shared_state')).toEqual(['shared_state_pkey'])
  })
})
