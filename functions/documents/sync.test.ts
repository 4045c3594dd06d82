import { goOn } from '@twofold/core/documents/go-on.ts'
import { VectorStoreError } from '@twofold/core/failures.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'
import { documents } from '../schedules/documents.ts'
import { reembed } from '../schedules/reembed.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  tenant = await here.tenant()
})

const file = { namespace: 'user:alice', filePath: 'long.md', title: 'Long', content: '# Tea\n\nGreen.\n\n# Coffee\n\nBlack.' }
const put = async (more: object = {}) => {
  const { status, text, json } = await tenant.call('PUT', '/v1/documents', { ...file, ...more })
  if (status >= 300) throw new Error(text)
  return json.document
}
const get = async (id: string, query = '') => (await tenant.get(`/v1/documents/${id}${query}`)).json
const found = async (query: object): Promise<string[]> =>
  (await tenant.post('/v1/memories/search', { userId: 'alice', kinds: ['document'], ...query })).json.results.map(
    (r: any) => r.memory.content,
  )
const sync = async (body: object = {}) => (await tenant.post('/v1/documents/sync', body)).json
const round = () => documents(here.deps)()
const synced = async (id: string) => {
  for (let i = 0; i < 20 && (await get(id)).document.syncStatus !== 'synced'; i++) await round()
  expect((await get(id)).document).toMatchObject({ syncStatus: 'synced', failure: null })
}
const one = async (query: string) =>
  Number(
    Object.values(
      (await here.owner(query.replace('$tenant', `(select id from twofold.tenants where uuid = '${tenant.id}')`)))[0] as object,
    )[0],
  )
/** Chunks by what they say, as far as they are there. */
const chunks = async (id: string): Promise<string[]> => {
  const all: string[] = []
  for (let cursor = ''; ; ) {
    const { chunks } = await get(id, `?chunks=true&limit=500${cursor}`)
    all.push(...chunks.items.map(({ content }: any) => content))
    if (chunks.nextCursor === null) return all
    cursor = `&cursor=${chunks.nextCursor}`
  }
}

/** `n` sections of one chunk each. */
const sections = (n: number, says: (i: number) => string = (i) => `Section ${i} says so.`) =>
  Array.from({ length: n }, (_, i) => `# S${i}\n\n${says(i)}`).join('\n\n')

/** Lists of 500 chunks take their time, and more of it on a machine that is busy. */
const LONG = { timeout: 180_000 }

describe('a document of more chunks than go into one list', () => {
  test('is pending until all are there, which they come to be by themselves, wherever a process dies', LONG, async () => {
    const { id, ...made } = await put({ content: sections(510) })
    expect(made).toMatchObject({ syncStatus: 'pending', chunkCount: 510, lastSyncedAt: null })
    expect((await get(id)).document.progress).toEqual({ total: 510, done: 0, left: 510 })
    expect(await chunks(id)).toHaveLength(500)
    expect(await found({ query: 'Section 499', mode: 'text', limit: 1 })).toEqual(['Long › S499\n\nSection 499 says so.'])
    expect((await tenant.get('/v1/documents?syncStatus=pending')).json.items).toMatchObject([{ id }])
    let steps = 0
    const dying = (after: number): Deps => {
      let left = after
      const asTenant = (async (...list: Parameters<Deps['db']['asTenant']>) => {
        if (left-- === 0) throw new VectorStoreError('database', { retryable: true })
        steps++
        return here.deps.db.asTenant(...list)
      }) as Deps['db']['asTenant']
      return { ...here.deps, db: { ...here.deps.db, asTenant } }
    }
    const time = { until: new Date(here.deps.now().getTime() + 600_000), signal: AbortSignal.timeout(120_000) }
    for (let after = 0; after < 9; after++) await expect(goOn(dying(after), tenant.id, id, time)).rejects.toThrow('database failed')
    expect(steps).toBe(36)
    await synced(id)
    expect((await get(id)).document).toMatchObject({ version: 1, updatedAt: made.updatedAt, progress: { total: 510, done: 510, left: 0 } })
    expect(await chunks(id)).toEqual(Array.from({ length: 510 }, (_, i) => `Long › S${i}\n\nSection ${i} says so.`))
    const last = await tenant.post('/v1/memories/search', { userId: 'alice', query: 'Section 509', mode: 'text', limit: 1 })
    expect(last.json.results[0].memory).toMatchObject({ content: 'Long › S509\n\nSection 509 says so.', createdBy: made.createdBy })
    expect(await one(`select count(*) from twofold.memories where tenant_id = $tenant`)).toBe(510)
    expect(await one(`select count(*) from twofold.embeddings where tenant_id = $tenant and live`)).toBe(510)
    expect(await one(`select count(*) from twofold.memories where tenant_id = $tenant and owes_embedding`)).toBe(0)
    expect(await one(`select count(*) from twofold.documents where tenant_id = $tenant and due_at is null`)).toBe(1)
  })

  test('written anew never shows what it said beside what it says, and removed shows nothing at once', LONG, async () => {
    const { id } = await put({ content: sections(505, (i) => `Alpha says ${i}.`) })
    await synced(id)
    await put({ content: sections(505, (i) => `Omega says ${i}.`) })
    for (let i = 0; ; i++) {
      const texts = await chunks(id)
      expect(texts.filter((text) => text.includes('Alpha'))).toEqual([])
      for (const mode of ['text', 'vector', 'hybrid']) {
        const shown = (await found({ query: 'Alpha says Omega', mode, limit: 100 })).map((text) => /S(\d+)/.exec(text)?.[1])
        expect(new Set(shown).size).toBe(shown.length)
      }
      if (texts.length === 505 || i > 20) break
      await round()
    }
    await synced(id)
    expect((await chunks(id)).every((text) => text.includes('Omega'))).toBe(true)
    await round()
    expect(await one(`select count(*) from twofold.memories where tenant_id = $tenant`)).toBe(505)
    expect((await tenant.del(`/v1/documents/${id}`)).status).toBe(200)
    for (const mode of ['text', 'vector', 'hybrid']) expect(await found({ query: 'Omega says', mode })).toEqual([])
    expect((await tenant.get('/v1/memories?userId=alice&kind=document&includeDeleted=true')).json.items).toEqual([])
    expect(await one(`select count(*) from twofold.documents where tenant_id = $tenant and (content <> '' or metadata <> '{}')`)).toBe(0)
    for (let i = 0; i < 2; i++) await round()
    for (const table of ['documents', 'document_chunks', 'memories', 'memory_versions', 'embeddings', 'postings'])
      expect([table, await one(`select count(*) from twofold.${table} where tenant_id = $tenant`)]).toEqual([table, 0])
  })

  test('is changed again and again before it is there, and is in the end what was put last', LONG, async () => {
    const { id } = await put({ content: sections(503) })
    await put({ content: sections(505), metadata: { n: 2 } })
    await put({ content: sections(502), metadata: { n: 3 } })
    await synced(id)
    expect(await chunks(id)).toHaveLength(502)
    expect(
      await one(`select count(*) from twofold.memories where tenant_id = $tenant and metadata->'n' <> '3'::jsonb and deleted_at is null`),
    ).toBe(0)
  })
})

describe('while the model is away', () => {
  test('a document is stored and found by its words, and synced when the model is back', async () => {
    here.provider.fail('server-error')
    const { id, ...made } = await put()
    expect(made).toMatchObject({ syncStatus: 'pending', chunkCount: 2 })
    expect(await found({ query: 'green', mode: 'text' })).toEqual(['Long › Tea\n\nGreen.'])
    await round()
    expect((await get(id)).document).toMatchObject({ syncStatus: 'pending', failure: null, progress: { done: 0, left: 2 } })
    here.provider.fail(null)
    here.pass(5000)
    await synced(id)
    expect(await found({ query: 'green', mode: 'vector', limit: 1 })).toEqual(['Long › Tea\n\nGreen.'])
  })

  test('for long, it has failed and says why; it is still tried, and at once when somebody asks', async () => {
    here.provider.fail('server-error')
    const { id } = await put()
    for (let i = 0; i < 5; i++) {
      expect((await get(id)).document.syncStatus).toBe('pending')
      here.pass(20_000)
      await round()
    }
    const failure = 'The embedding model has not made the vectors of 2 chunks or more.'
    expect((await get(id)).document).toMatchObject({ syncStatus: 'failed', failure })
    expect(await sync()).toEqual({ done: true, cursor: null, total: 1, synced: 0, left: 1, failed: 1 })
    here.provider.fail(null)
    expect(await sync()).toEqual({ done: true, cursor: null, total: 1, synced: 1, left: 0, failed: 0 })
    expect((await get(id)).document).toMatchObject({ syncStatus: 'synced', failure: null })
  })

  test('other memories get their vectors as soon as it is back, however many chunks wait', async () => {
    here.provider.fail('server-error')
    await put({ content: sections(80) })
    const note = await tenant.add({ content: 'a note' })
    here.provider.fail(null)
    await reembed(here.deps)()
    expect((await tenant.get(`/v1/memories/${note.id}`)).json.receipt.owed).not.toContain('embedding')
    expect((await tenant.get('/v1/documents')).json.items).toMatchObject([{ syncStatus: 'pending' }])
  })
})

test('a document whose vectors are of another model is stale, found by its words, and embedded anew by itself', async () => {
  const { id } = await put()
  await here.owner(
    `update twofold.embeddings set model = 'openai:former' where memory_id in (select memory_id from twofold.document_chunks where document_id = $1)`,
    [id],
  )
  await here.owner(`update twofold.documents set embedding_model = 'openai:former' where id = $1`, [id])
  expect((await get(id)).document).toMatchObject({ syncStatus: 'stale', embeddingModel: 'openai:former', progress: { done: 0 } })
  expect((await tenant.get('/v1/documents?syncStatus=stale')).json.items).toHaveLength(1)
  expect((await tenant.get('/v1/documents?syncStatus=synced')).json.items).toEqual([])
  expect(await found({ query: 'green', mode: 'text' })).toHaveLength(1)
  await synced(id)
  expect((await get(id)).document.embeddingModel).toBe('openai:test-embedding')
  expect(await found({ query: 'Green.', mode: 'vector', limit: 1 })).toEqual(['Long › Tea\n\nGreen.'])
})

test('sync looks at the documents of a place, tells how far they are, and goes on after a cursor', async () => {
  here.provider.fail('server-error')
  const made = []
  for (let i = 0; i < 3; i++) made.push(await put({ filePath: `${i}.md` }))
  await put({ namespace: 'user:bob' })
  const cursor = Buffer.from(JSON.stringify(made[1].id)).toString('base64url')
  here.provider.fail(null)
  expect(await sync({ userId: 'alice', cursor })).toEqual({ done: true, cursor: null, total: 3, synced: 1, left: 2, failed: 0 })
  expect(await sync({ namespace: 'user:alice' })).toMatchObject({ total: 3, synced: 3, left: 0 })
  expect(await sync()).toMatchObject({ total: 4, synced: 4, left: 0 })
})

test('a document of 4 MiB goes through, and one byte more is refused with the limit', LONG, async () => {
  const sentence = (i: number) => `Sentence ${i} of a long text, in which every one is a little different from ${i % 7} others.`
  let content = ''
  for (let i = 0; content.length < 4 * 1024 * 1024; i++) content += `${sentence(i)}${i % 5 ? ' ' : '\n\n'}`
  content = content.slice(0, 4 * 1024 * 1024)
  const made = await put({ content })
  expect(made).toMatchObject({ bytes: 4 * 1024 * 1024, syncStatus: 'pending' })
  expect(made.chunkCount).toBeGreaterThan(4000)
  const refused = await tenant.call('PUT', '/v1/documents', { ...file, content: `${content}x` })
  expect([refused.status, refused.json.code, refused.json.maxBytes]).toEqual([413, 'too_large', 4 * 1024 * 1024])
  const huge = await tenant.call('PUT', '/v1/documents', { ...file, content: content + content })
  expect([huge.status, huge.json.code]).toEqual([413, 'too_large'])
})
