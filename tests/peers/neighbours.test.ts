import { afterAll, beforeAll, expect, test } from 'vitest'
import { DIMENSIONS, type Hosted, hosted, type Tenant } from '../hosted.ts'
import { random } from '../random.ts'

const CROWD = 3_000
/** Unit vectors about one direction: what is asked for lies in the middle of the crowd, and the few lie far from it. */
const near = (spread: number, seed: number): number[] => {
  const next = random(seed)
  const vector = Array.from({ length: DIMENSIONS }, (_, i) => (i === 0 ? 1 : 0) + (next() - 0.5) * spread)
  const length = Math.hypot(...vector)
  return vector.map((x) => x / length)
}
const QUESTION = near(0, 0)

let it: Hosted
let large: Tenant
let small: Tenant

beforeAll(async () => {
  it = await hosted()
  large = await it.tenant()
  small = await it.tenant()
  const few = (userId: string, place: string) =>
    Array.from({ length: 10 }, (_, i) => ({
      namespace: `${userId}${place}`,
      content: `few ${i}`,
      embedding: near(2, i + 1),
      extractEntities: false,
    }))
  // An index that is made at once takes a tenth of the time of one that is added to.
  const [index] = await it.owner(`select indexname as name, indexdef as made from pg_indexes where indexdef like '%hnsw%'`)
  await it.owner(`drop index twofold.${index?.name}`)
  await crowd(large, CROWD)
  await it.owner(index?.made as string)
  await small.post('/v1/memories/batch', { items: few('user:few', '') })
  await large.post('/v1/memories/batch', { items: [...few('user:few', ''), ...few('user:crowd', ':corner')] })
  await it.owner('analyze')
})
afterAll(() => it.close())

/** Memories of one subject straight into the tables, which is all that a search reads of them. */
async function crowd(tenant: Tenant, size: number): Promise<void> {
  await it.owner(
    `with t as (select id from twofold.tenants where uuid = $1),
    made as (
      insert into twofold.memories (tenant_id, id, namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at, version,
        created_by, updated_by, created_at, updated_at)
      select t.id, gen_random_uuid(), 'user:crowd', 'semantic', 'note', 'crowd ' || n, 5, '{}', '{}', '[]', '[]', now(), 1, 'test', 'test', now(), now()
      from t cross join generate_series(1, $2::int) n returning *)
    insert into twofold.embeddings (tenant_id, memory_id, row, model, subject, namespace, type, kind, live, version, embedding)
    select m.tenant_id, m.id, m.row, 'openai:test-embedding', m.subject, m.namespace, m.type, m.kind, true, 1, v.embedding::vector
    from made m join jsonb_array_elements_text($3::jsonb) with ordinality v (embedding, n) on m.content = 'crowd ' || v.n`,
    [tenant.id, size, JSON.stringify(Array.from({ length: size }, (_, i) => JSON.stringify(near(0.2, 1000 + i))))],
  )
}

const contents = async (asks: Tenant, place: object): Promise<string[]> => {
  const { results } = (await asks.post('/v1/memories/search', { embedding: QUESTION, mode: 'vector', limit: 10, ...place })).json
  return results.map((result: any) => result.memory.content)
}
const THE_FEW = Array.from({ length: 10 }, (_, i) => `few ${i}`)

test('a small tenant gets its ten nearest of ten, though three thousand of another tenant are nearer', async () => {
  expect((await contents(small, {})).sort()).toEqual(THE_FEW)
  expect((await contents(small, { userId: 'few' })).sort()).toEqual(THE_FEW)
})

test('so does one user beside a large one, and one place within him', async () => {
  expect((await contents(large, { userId: 'few' })).sort()).toEqual(THE_FEW)
  expect((await contents(large, { namespace: 'user:crowd:corner' })).sort()).toEqual(THE_FEW)
  expect((await contents(large, { namespacePrefix: 'user:crowd:corner' })).sort()).toEqual(THE_FEW)
})

test('and it stays so when Postgres chooses the index of all vectors and not the one of the subject', async () => {
  await it.owner('drop index twofold.embeddings_by_subject')
  // The embedded database is one session, which is told; on a server each one learns it as it begins, and counts as it ends.
  const anew = () =>
    it.owner('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and usename <> current_user')
  for (const way of ['enable_seqscan', 'enable_sort']) {
    await it.owner(`set ${way} = off`)
    await it.owner(`do $$ begin execute format('alter database %I set ${way} = off', current_database()); end $$`)
  }
  const scans = async () => {
    await anew()
    await it.owner('select pg_stat_force_next_flush()')
    const [row] = await it.owner(
      `select idx_scan as n from pg_stat_user_indexes s join pg_indexes i on i.indexname = s.indexrelname where i.indexdef like '%hnsw%'`,
    )
    return Number(row?.n)
  }
  const before = await scans()
  for (const [asks, place] of [
    [small, {}],
    [small, { userId: 'few' }],
    [large, { userId: 'few' }],
    [large, { namespacePrefix: 'user:crowd:corner' }],
  ] as const)
    expect((await contents(asks, place)).sort()).toEqual(THE_FEW)
  expect((await scans()) - before).toBeGreaterThanOrEqual(4)
})

test('among many it finds the nearest, as an exact search does', async () => {
  const exact = await contents(large, { userId: 'crowd', precision: 'exact' })
  const found = await contents(large, { userId: 'crowd' })
  expect(found.filter((content) => exact.includes(content)).length).toBeGreaterThanOrEqual(8)
})
