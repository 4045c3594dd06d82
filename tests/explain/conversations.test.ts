import { type AuditQuery, listAudit } from '@twofold/core/audit/list.ts'
import { addTurn } from '@twofold/core/conversations/add-turn.ts'
import { cleanUp } from '@twofold/core/conversations/cleanup.ts'
import { clearConversation } from '@twofold/core/conversations/clear.ts'
import { readContext } from '@twofold/core/conversations/context.ts'
import { expireTurns } from '@twofold/core/conversations/expire.ts'
import { listConversations } from '@twofold/core/conversations/list.ts'
import { readConversation } from '@twofold/core/conversations/read.ts'
import type { Database, Deps } from '@twofold/core/ports.ts'
import { raw, sql } from '@twofold/core/sql.ts'
import { asOwner } from '@twofold/postgres/owner.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { MigratedDatabase } from '../database.ts'
import { keyOf, TENANT } from './fill.ts'
import { waysWithin, wide } from './plan.ts'
import { caller, FILLING_MS, type Filled, GRANTS, type Grant, onFilled } from './world.ts'

/** 100,000 turns in one conversation, and as many entries of the audit, on the Postgres server that TEST_DATABASE_URL names; else a tenth of both. */
const SIZE = process.env.TEST_DATABASE_URL ? 100_000 : 10_000

let deps: Deps
let inner: Database
let during: Filled['during']
let close: Filled['close']
beforeAll(async () => {
  ;({ deps, inner, during, close } = await onFilled(fill))
}, FILLING_MS)
afterAll(() => close())

/** Of the long conversation three turns in four have expired and are not swept yet; of conversations one in a hundred. */
const fill = (database: MigratedDatabase) =>
  asOwner(database.owner)([
    raw(`select set_config('search_path', 'twofold, public', true), set_config('session_replication_role', 'replica', true)`),
    sql`insert into tenants (uuid, name, created_at) values (${TENANT}::uuid, 'asking', now())`,
    sql`insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
      select t.id, gen_random_uuid(), 'key', k.hash, '{admin}', array[k.grants], now()
      from tenants t, unnest(${GRANTS}::text[], ${GRANTS.map(keyOf)}::bytea[]) k (grants, hash)`,
    sql`insert into conversations (tenant_id, id, name, namespace, user_id, written, created_at, updated_at, last_at, expires_at)
      select t.id, lpad(to_hex(i), 32, '0')::uuid, 'talk ' || i, 'user:u' || i % 1000, 'u' || i % 1000, 1, at, at, at, case when i % 100 = 0 then '2026-02-01' else '2027-01-01' end::timestamptz
      from tenants t, generate_series(1, ${SIZE / 5}::int) i cross join lateral (select '2026-01-01'::timestamptz + i * interval '1 s') a (at)`,
    sql`insert into turns (tenant_id, id, conversation_id, actor, idempotency_key, query, answer, at, created_at, expires_at)
      select c.tenant_id, gen_random_uuid(), c.id, 'maker', 'request ' || c.name, repeat('some words ', 5), repeat('some words ', 15), c.created_at + i * interval '1 s', c.created_at,
        case when i % 4 = 0 then '2027-01-01' else '2026-02-01' end::timestamptz
      from conversations c, generate_series(1, case when c.name = 'talk 7' then ${SIZE}::int else 1 end) i`,
    sql`insert into idempotency_keys (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
      select tenant_id, 'maker', 'request ' || name, 0, 'conversations.add_turn', sha256(name::bytea), '[]', created_at from conversations`,
    sql`insert into audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, version, outcome)
      select t.id, '2026-01-01'::timestamptz + i * interval '10 s', 'maker ' || i % 50, case when i % 10 = 0 then 'person ' || i % 200 end, 'request ' || i,
        case when i % 100 = 0 then 'memories.delete' when i % 3 = 0 then 'memories.get' else 'memories.add' end, lpad(to_hex(i), 32, '0')::uuid,
        case when i % 5 < 3 then 'user:large' else 'user:u' || i % 1000 end, 1, 'ok'
      from tenants t, generate_series(1, ${SIZE}::int) i`,
    raw('analyze'),
  ])

const LONG = 'talk 7'
const OF_THE_LONG = ['conversations_by_name (tenant_id, name)', 'turns_by_time (tenant_id, conversation_id)']
/** What a key is called: a tenant has few, and here there are two. */
const KEYS = ['api_keys_by_tenant (tenant_id)', 'all of api_keys']
const audited = (query: Partial<AuditQuery>, grant?: Grant) => listAudit(deps, caller(grant), { limit: 50, after: null, ...query })

test.each<[string, () => Promise<unknown>, string[], string[]?]>([
  ['the context of a long conversation', () => readContext(deps, caller(), LONG, { limit: 50 }), OF_THE_LONG],
  ['how long it is', () => readConversation(deps, caller(), LONG), OF_THE_LONG],
  // In the order of the ids, until the page is full.
  ['conversations', () => listConversations(deps, caller(), { limit: 10, after: null }), [], ['conversations_pkey (tenant_id)']],
  [
    'those of one user',
    () => listConversations(deps, caller(), { userId: 'u8', limit: 10, after: null }),
    ['conversations_by_namespace (tenant_id, namespace)'],
  ],
  [
    'those that a narrow key may see',
    () => listConversations(deps, caller('user:u7'), { limit: 10, after: null }),
    ['conversations_by_namespace (tenant_id, namespace)'],
  ],
  [
    'a turn',
    () => addTurn(deps, caller(), LONG, { query: 'q', answer: 'a' }),
    ['conversations_by_name (tenant_id, name)', 'turns_pkey (tenant_id, id)', 'conversations_pkey (tenant_id, id)'],
  ],
  ['the end of a conversation', () => clearConversation(deps, caller(), 'talk 9'), ['conversations_by_name (tenant_id, name)']],
  [
    'cleaning up',
    () => cleanUp(deps, caller(), { maxAgeHours: 87_000 }),
    ['conversations_expiring (tenant_id, expires_at)', 'conversations_by_last (tenant_id, last_at)', 'conversations_pkey (tenant_id, id)'],
  ],
  [
    'turns that have expired',
    () => expireTurns(deps, TENANT, 100),
    ['turns_expiring (tenant_id, expires_at)', 'turns_pkey (tenant_id, id)', 'conversations_expiring (tenant_id, expires_at)'],
  ],
  ['the audit', () => audited({}), [], ['audit_log_by_time (tenant_id)', ...KEYS]],
  ['its next page', () => audited({ after: { at: '2026-01-01T03:00:00.000Z', id: '7' } }), ['audit_log_by_time (tenant_id, at)'], KEYS],
  ['the audit since then', () => audited({ since: '2026-02-28T23:00:00Z' }), ['audit_log_by_time (tenant_id, at)'], KEYS],
  [
    'the audit of a memory',
    () => audited({ memoryId: '00000000-0000-0000-0000-000000000400' }),
    ['audit_log_by_target (tenant_id, target)'],
    KEYS,
  ],
  ['the audit of an actor', () => audited({ actor: 'maker 7' }), ['audit_log_by_actor (tenant_id, actor)'], KEYS],
  ['the audit on behalf of somebody', () => audited({ onBehalfOf: 'person 10' }), ['audit_log_by_behalf (tenant_id, on_behalf_of)'], KEYS],
  ['the audit of an action', () => audited({ action: 'memories.delete' }), ['audit_log_by_action (tenant_id, action)'], KEYS],
  ['the audit of a small prefix', () => audited({ namespacePrefix: 'user:u8' }), ['audit_log_by_namespace (tenant_id, namespace)'], KEYS],
  ['the audit for a narrow key', () => audited({}, 'user:u7'), ['audit_log_by_namespace (tenant_id, namespace)'], KEYS],
  // In the order of time, until the page is full.
  ['the audit of a large prefix', () => audited({ namespacePrefix: 'user:large' }), [], ['audit_log_by_time (tenant_id)', ...KEYS]],
])('%s goes by the indexes meant for it', async (_, work, ways, allowed = []) => {
  const seen = await during(work)
  expect([...seen]).toEqual(expect.arrayContaining(ways))
  // The planner may do better than it may do.
  expect(wide(seen).filter((way) => !allowed.includes(way))).toEqual([])
})

test('the requests that said what is removed are found by their keys', async () => {
  const call = sql`delete from conversations c where c.tenant_id = current_tenant() and c.name = 'talk 11'`
  const asTenant = (statements: readonly any[]) => inner.asTenant(TENANT, statements)
  expect(await waysWithin(asTenant, call, 'twofold.idempotency_keys')).toEqual(['idempotency_keys_pkey'])
})

test('what of the audit is too old is found by its time', async () => {
  const call = sql`select forget_audit('2026-01-02', 10)`
  const asTenant = (statements: readonly any[]) => inner.asTenant(TENANT, statements)
  expect(await waysWithin(asTenant, call, 'twofold.audit_log')).toEqual(['audit_log_by_time', 'audit_log_pkey'])
})

test.each([
  ['turns', 'twofold.turns', 'turns_expiring'],
  ['turns', 'twofold.conversations', 'conversations_expiring'],
  ['audit', 'twofold.audit_log', 'audit_log_by_time'],
])('tenants with work of the sort %s in %s are found by its index', async (work, table, index) => {
  const call = sql`select * from tenants_with(${work}, '2026-03-01', 50)`
  expect(await waysWithin((statements) => inner.across(statements), call, table)).toEqual([index])
})
