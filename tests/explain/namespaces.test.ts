import { forgetAll } from '@twofold/core/memories/forget-all.ts'
import { historyWhich } from '@twofold/core/memories/history.ts'
import { type Listing, list } from '@twofold/core/memories/list.ts'
import { readWhich } from '@twofold/core/memories/read.ts'
import { squash } from '@twofold/core/memories/squash.ts'
import { applyPolicies } from '@twofold/core/namespaces/apply-policies.ts'
import { forgetKey } from '@twofold/core/namespaces/forget-key.ts'
import { holder } from '@twofold/core/namespaces/holder.sql.ts'
import { listNamespaces } from '@twofold/core/namespaces/list.ts'
import { putPolicy, readPolicy } from '@twofold/core/namespaces/policy.ts'
import { putKey } from '@twofold/core/namespaces/put-key.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { raw, sql } from '@twofold/core/sql.ts'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { asOwner } from '@twofold/postgres/owner.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { keyOf, TENANT } from './fill.ts'
import { type Watched, watched, waysWithin, wide } from './plan.ts'
import { caller, FILLING_MS, GRANTS, type Grant } from './world.ts'

/** 100,000 memories, of which a third lie in one of 1,001 namespaces, on the Postgres server that TEST_DATABASE_URL names; else 6,000 in 61. */
const SIZE = process.env.TEST_DATABASE_URL ? 100_000 : 6_000

let database: MigratedDatabase
let deps: Deps
let during: Watched['during']
let close: () => Promise<void>
beforeAll(async () => {
  database = await migratedDatabase()
  await populate()
  const now = () => new Date('2026-03-01T12:00:00Z')
  const watching = watched(database.db)
  during = watching.during
  const env = readEnv({ DATABASE_URL: database.url, DATABASE_HTTP_URL: database.fetchEndpoint, LOG_LEVEL: 'silent' })
  const composed = await compose(env, { db: watching.db, now, graph: postgresGraph({ db: watching.db, now }) })
  deps = composed.deps
  close = composed.close
}, FILLING_MS)
afterAll(async () => {
  await close()
  await database.close()
})

/** One of its memories has a thousand versions. */
const populate = () =>
  asOwner(database.owner)([
    raw(`select set_config('search_path', 'twofold, public', true), set_config('session_replication_role', 'replica', true)`),
    sql`insert into tenants (uuid, name, created_at) values (${TENANT}::uuid, 'asking', now())`,
    sql`insert into tenants (uuid, name, created_at) select gen_random_uuid(), 'other ' || i, now() from generate_series(1, 20) i`,
    sql`insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
      select t.id, gen_random_uuid(), 'key', k.hash, '{admin}', array[k.grants], now()
      from tenants t, unnest(${GRANTS}::text[], ${GRANTS.map(keyOf)}::bytea[]) k (grants, hash) where t.uuid = ${TENANT}::uuid`,
    sql`insert into memories (tenant_id, id, namespace, key, type, kind, content, importance, metadata, tags, entities, relations, occurred_at,
        version, created_by, updated_by, created_at, updated_at, deleted_at, fades_at)
      select t.id, lpad(to_hex(i), 32, '0')::uuid, case when i % 3 = 0 then 'user:large' else 'user:u' || i % ${SIZE / 100}::int || case when i % 4 = 0 then ':notes' else '' end end,
        'key ' || i, case i % 10 when 1 then 'episodic' when 2 then 'procedural' else 'semantic' end, 'note', repeat('some words ', 15), 5,
        jsonb_build_object('n', i), '{}', '[]', '[]', at, case when i = 10 then 1000 else 1 end, 'maker ' || i % 50, 'maker', at, at,
        case when i % 41 = 7 then at end, case when i % 10 = 1 then at + interval '90 days' end
      from tenants t, generate_series(1, ${SIZE}::int) i cross join lateral (select '2026-01-01'::timestamptz + i * interval '10 s') a (at)
      where t.uuid = ${TENANT}::uuid`,
    sql`insert into memories (tenant_id, id, namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at,
        version, created_by, updated_by, created_at, updated_at)
      select t.id, gen_random_uuid(), 'user:u' || i, 'semantic', 'note', 'x', 5, '{}', '{}', '[]', '[]', now(), 1, 'maker', 'maker', now(), now()
      from tenants t, generate_series(1, 50) i where t.uuid <> ${TENANT}::uuid`,
    raw(`insert into memory_versions (tenant_id, memory_id, version, namespace, action, actor, at, memory, terms, counts, tokenizer)
      select m.tenant_id, m.id, v, m.namespace, 'memories.add', 'maker', m.created_at + v * interval '1 s', '{"content": "some words", "deletedAt": null}', '{1,2,3}', '{1,1,1}', 1
      from memories m, generate_series(1, m.version) v`),
    raw(`insert into postings (tenant_id, term, subject, row, count, length)
      select tenant_id, t, subject_number(subject), row, 1, 3 from memories, generate_series(1, 3) t`),
    raw(`insert into embeddings (tenant_id, memory_id, row, model, subject, namespace, type, kind, live, version, embedding)
      select tenant_id, id, row, 'none', subject, namespace, type, kind, true, 1, '[1]' from memories`),
    raw(
      `insert into past_embeddings (tenant_id, memory_id, model, version, embedding) select tenant_id, memory_id, 'none', version, '[1]' from memory_versions`,
    ),
    raw(`insert into ledger (tenant_id, id, kind, subject, bucket, revision, shown, owed_since)
      select tenant_id, id, 'memory', subject, bucket_of(id), 1, 1, now() from memories`),
    raw(`insert into namespace_policies (tenant_id, namespace, temp_hours, updated_by, updated_at, squash_after_namespace, squash_after_id)
      select id, 'user:p' || i, 24, 'test', now(), '', gen_random_uuid() from tenants, generate_series(1, 200) i`),
    sql`insert into policy_changes (tenant_id, namespace, after_namespace, after_id, since)
      select id, 'user:p' || i, '', gen_random_uuid(), '2099-01-01' from tenants, generate_series(1, 200) i where uuid <> ${TENANT}::uuid`,
    raw('analyze'),
  ])

const KEY = { namespace: 'user:large', key: 'key 9' }
const FORMER = { namespace: 'user:u7', key: 'key 7' }
const MANY = { namespace: 'user:u10', key: 'key 10' }
const listed = (listing: Partial<Listing>, grant?: Grant) => list(deps, caller(grant), { limit: 50, after: null, ...listing })
const namespaces = (given: { prefix?: string; after?: string }, grant?: Grant) =>
  listNamespaces(deps, caller(grant), { limit: 50, after: null, ...given })
const removed = (given: object) => forgetAll(deps, caller(), { hard: false, dryRun: false, after: null, ...given })
/** From name to name, what is of each type, and what changed last. */
/** Either is as good. */
const ONE_PLACE = /^memories_(live|by_namespace|by_change) \(tenant_id, namespace\)$/
const COUNTED = ['only memories_live', 'memories_live (tenant_id, namespace, type)', 'memories_by_change (tenant_id, namespace)']
const filter = { n: { lt: SIZE / 5 } }
/** Nine in ten were written before. */
const SINCE = new Date(Date.parse('2026-01-01T00:00:00Z') + SIZE * 9_000).toISOString()

/** There are none here. */
const EMPTY = ['documents', 'document_chunks', 'memory_entities', 'relations', 'entities'].map((table) => `all of ${table}`)

test.each<[string, () => Promise<unknown>, (string | RegExp)[], string[]?]>([
  ['a key', () => readWhich(deps, caller(), holder(KEY)), ['memories_by_key (tenant_id, namespace, key)', 'memories_pkey (tenant_id, id)']],
  [
    'a version of a key',
    () => readWhich(deps, caller(), holder(KEY), { version: 1 }),
    ['only memories_by_key', 'memory_versions_pkey (tenant_id, memory_id, version)'],
  ],
  [
    'a version of a key that is free again',
    () => readWhich(deps, caller(), holder(FORMER), { version: 1 }),
    ['memories_by_former_key (tenant_id, namespace, key)', 'memory_versions_pkey (tenant_id, memory_id, version)'],
  ],
  [
    'a page of a thousand versions',
    () => historyWhich(deps, caller(), holder(MANY), { limit: 50, after: 500 }),
    ['only memories_by_key', 'memory_versions_pkey (tenant_id, memory_id, version)'],
  ],
  [
    'setting a key',
    () => putKey(deps, caller(), { ...KEY, value: 'new', extractEntities: false }),
    ['memories_by_key (tenant_id, namespace, key)', 'memories_pkey (tenant_id, id)'],
  ],
  [
    'setting a key that nobody had',
    () => putKey(deps, caller(), { namespace: 'user:u7', key: 'new', value: 'new', extractEntities: false }),
    ['memories_by_key (tenant_id, namespace, key)', 'memories_by_former_key (tenant_id, namespace, key)'],
  ],
  [
    'deleting a key',
    () => forgetKey(deps, caller(), KEY, { hard: false, cascadeGraph: true }),
    ['only memories_by_key', 'memories_pkey (tenant_id, id)'],
  ],
  [
    'memories by type and update',
    () => listed({ type: 'episodic', updatedSince: SINCE }),
    [/^memories_by_type \(tenant_id, type(, updated_at)?\)$/],
  ],
  [
    'memories by type and namespace',
    () => listed({ type: 'episodic', namespace: 'user:large' }),
    ['memories_live (tenant_id, namespace, type)'],
  ],
  [
    'the next page of them',
    () => listed({ type: 'episodic', namespace: 'user:large', after: '00000000-0000-0000-0000-000000000400' }),
    ['memories_live (tenant_id, namespace, type, id)'],
  ],
  ['memories of a small prefix', () => listed({ namespacePrefix: 'user:u7' }), [ONE_PLACE]],
  ['namespaces', () => namespaces({}), COUNTED],
  ['the next page of them', () => namespaces({ after: 'user:u5' }), COUNTED],
  ['the namespaces of a prefix', () => namespaces({ prefix: 'user' }), COUNTED],
  ['the namespaces that a narrow key may see', () => namespaces({}, 'user:u7'), COUNTED],
  ['what applies to a namespace', () => readPolicy(deps, caller(), 'user:u7'), []],
  ['a policy', () => putPolicy(deps, caller(), 'user:u7', { episodicDays: 7, tempHours: 24, keepVersions: 5 }), [ONE_PLACE]],
  // Few prefixes change at once.
  ['those who hear of it', () => applyPolicies(deps, TENANT, 20), [ONE_PLACE], ['policy_changes_pkey (tenant_id)']],
  ['the versions that it does not keep', () => squash(deps, TENANT), [ONE_PLACE], ['namespace_policies_to_squash (tenant_id)']],
  ['what would be deleted of a namespace', () => removed({ namespace: 'user:u7', dryRun: true }), [ONE_PLACE]],
  ['what is deleted of a user', () => removed({ userId: 'u7', filter }), [ONE_PLACE, 'postings_pkey (tenant_id, term, subject, row)']],
])('%s goes by the indexes meant for it', async (_, work, ways, allowed = []) => {
  const seen = await during(work)
  for (const way of ways) expect([...seen]).toContainEqual(way instanceof RegExp ? expect.stringMatching(way) : way)
  expect(wide(seen).filter((way) => ![...allowed, ...EMPTY].includes(way))).toEqual([])
})

describe('inside the database', () => {
  test('a policy is found by the namespaces above', async () => {
    const call = sql`select * from policy_of(current_tenant(), 'user:u7:notes:x')`
    const run = (statements: readonly any[]) => database.db.asTenant(TENANT, statements)
    expect(await waysWithin(run, call, 'twofold.namespace_policies')).toEqual(['namespace_policies_pkey'])
  })

  test.each([
    ['squash', 'twofold.namespace_policies', 'namespace_policies_to_squash'],
    ['policies', 'twofold.policy_changes', 'policy_changes_pkey'],
    ['expired', 'twofold.memories', 'memories_expiring'],
  ])('tenants with work of the sort %s are found by its index', async (work, table, index) => {
    const call = sql`select * from tenants_with(${work}, '2026-06-01', 50)`
    expect(await waysWithin((statements) => deps.db.across(statements), call, table)).toEqual([index])
  })
})
