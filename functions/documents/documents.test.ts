import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Answer, type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const BREWING = '# Tea\n\nSteep green tea at eighty degrees.\n\n# Coffee\n\nGrind the beans freshly.'
const file = { namespace: 'user:alice', filePath: 'guide/brewing.md', title: 'Brewing', content: BREWING }
const put = (more: object = {}, ask?: Ask): Promise<Answer> => tenant.call('PUT', '/v1/documents', { ...file, ...more }, ask)
const get = async (id: string, query = '') => (await tenant.get(`/v1/documents/${id}${query}`)).json
const chunksOf = async (id: string): Promise<any[]> => (await get(id, '?chunks=true&limit=500')).chunks.items
const search = async (query: string, more: object = {}): Promise<any[]> =>
  (await tenant.post('/v1/memories/search', { userId: 'alice', query, kinds: ['document'], ...more })).json.results.map(
    (r: any) => r.memory,
  )
const said = async (query: string, more?: object) => (await search(query, more)).map((memory) => memory.content)
const rows = async (table: string) =>
  Number(
    (
      await here.owner(`select count(*) as n from twofold.${table} x join twofold.tenants t on t.id = x.tenant_id where t.uuid = $1`, [
        tenant.id,
      ])
    )[0]?.n,
  )
/** How many texts the model is asked for meanwhile. */
const asked = async (work: () => Promise<unknown>) => {
  const before = here.provider.requests.texts
  await work()
  return here.provider.requests.texts - before
}

const paragraph = (i: number) => Array.from({ length: 60 }, (_, j) => `word${(i * 37 + j * 11) % 499}of${i}`).join(' ')
const long = (n: number, from = 0) => Array.from({ length: n }, (_, i) => paragraph(from + i))

describe('a document', () => {
  test('is indexed with the first put, and found by meaning and by words, with where it comes from', async () => {
    const { status, json, headers } = await put({ metadata: { lang: 'en' } })
    expect([status, headers.get('etag')]).toEqual([201, '"1"'])
    expect(json.document).toEqual({
      ...{ id: expect.any(String), namespace: 'user:alice', filePath: file.filePath, title: 'Brewing', documentType: 'markdown' },
      ...{
        metadata: { lang: 'en' },
        contentHash: createHash('sha256').update(BREWING).digest('hex'),
        bytes: BREWING.length,
        chunkCount: 2,
      },
      ...{
        embeddingModel: 'openai:test-embedding',
        syncStatus: 'synced',
        failure: null,
        lastSyncedAt: json.document.createdAt,
        version: 1,
      },
      ...{
        createdBy: expect.any(String),
        updatedBy: json.document.createdBy,
        createdAt: expect.any(String),
        updatedAt: json.document.createdAt,
      },
    })
    const { id } = json.document
    for (const mode of ['hybrid', 'vector', 'text']) {
      const [first] = await search('eighty degrees', { mode })
      expect(first).toMatchObject({
        kind: 'document',
        content: 'Brewing › Tea\n\nSteep green tea at eighty degrees.',
        metadata: { lang: 'en', document: { id, filePath: file.filePath, title: 'Brewing', headings: ['Tea'] } },
      })
    }
    expect(await said('beans', { filter: { 'document.filePath': { eq: 'guide/brewing.md' } } })).toHaveLength(2)
    expect(await said('beans', { filter: { lang: { eq: 'de' } } })).toEqual([])
    expect(await get(id)).toEqual({ document: { ...json.document, progress: { total: 2, done: 2, left: 0 } } })
  })

  test('put again as it is changes nothing at all', async () => {
    const { document } = (await put()).json
    const before = [await rows('memory_versions'), await rows('audit_log')]
    here.pass(5000)
    expect(await asked(async () => expect((await put()).json).toEqual({ document }))).toBe(0)
    const again = await put({ documentType: 'markdown', metadata: {} })
    expect([again.status, again.json]).toEqual([200, { document }])
    expect([await rows('memory_versions'), await rows('audit_log')]).toEqual(before)
  })

  test('edited in the middle is embedded anew there and nowhere else; what it does not say any more is not found', async () => {
    const all = long(28)
    const { document } = (await put({ content: all.join('\n\n') })).json
    expect([document.syncStatus, document.chunkCount]).toEqual(['synced', expect.any(Number)])
    expect(document.chunkCount).toBeGreaterThan(20)
    const before = await chunksOf(document.id)
    const edited = all.with(14, 'Only here stands the xylophone.').join('\n\n')
    const texts = await asked(async () =>
      expect((await put({ content: edited })).json.document).toMatchObject({ version: 2, syncStatus: 'synced' }),
    )
    expect(texts).toBeGreaterThan(0)
    expect(texts).toBeLessThanOrEqual(8)
    const after = await chunksOf(document.id)
    const kept = after.filter(({ memoryId }) => before.some((chunk) => chunk.memoryId === memoryId))
    expect(after.length - kept.length).toBe(texts)
    expect(after.map(({ position }) => position)).toEqual(after.map((_, i) => i))
    expect((await said('xylophone', { mode: 'text' }))[0]).toContain('xylophone')
    expect((await said(`word${(14 * 37) % 499}of14`, { mode: 'text' })).filter((text) => text.includes('of14 '))).toEqual([])
    await sweep(here.deps)
    expect(await rows('memories')).toBe(after.length)
  })

  test('with another title says so everywhere; with other metadata it is only labelled anew', async () => {
    const { document } = (await put()).json
    const before = await chunksOf(document.id)
    expect(await asked(() => put({ metadata: { team: 'tea' } }))).toBe(0)
    const labelled = await search('tea', { filter: { team: { eq: 'tea' } } })
    expect(labelled.map((memory) => [memory.version, memory.metadata.document.title])).toEqual([
      [2, 'Brewing'],
      [2, 'Brewing'],
    ])
    expect(await chunksOf(document.id)).toEqual(before)
    expect(await asked(() => put({ title: 'Hot drinks' }))).toBe(2)
    expect((await said('beans'))[0]).toBe('Hot drinks › Coffee\n\nGrind the beans freshly.')
    expect((await search('beans', { filter: { team: { exists: true } } })).length).toBe(0)
    expect((await get(document.id)).document).toMatchObject({ version: 3, title: 'Hot drinks', metadata: {} })
  })

  test('belongs to its namespace: the same path elsewhere is another document', async () => {
    const mine = (await put()).json.document
    const theirs = (await put({ namespace: 'user:bob' })).json.document
    expect(theirs.id).not.toBe(mine.id)
    expect((await search('beans')).map((memory) => memory.namespace)).toEqual(['user:alice', 'user:alice'])
    expect((await put({ namespace: undefined, userId: 'alice' })).json.document).toEqual(mine)
  })

  test('may be empty, and is cut by the type that it is said to have', async () => {
    expect((await put({ content: '' })).json.document).toMatchObject({ chunkCount: 0, syncStatus: 'synced' })
    expect((await put({ documentType: 'text' })).json.document).toMatchObject({ chunkCount: 1, documentType: 'text' })
    expect((await put({ filePath: 'a.py', content: '# a comment' })).json.document.documentType).toBe('text')
    expect(await said('comment')).toContain('Brewing\n\n# a comment')
  })

  test('can be read back whole and chunk by chunk', async () => {
    const content = '# A\r\n\r\nOne\u2028line.\r\n\n# B\n\nTwo.\n\n# C\n\nThree.'
    const { id } = (await put({ content })).json.document
    expect((await get(id, '?content=true')).document.content).toBe(content)
    const first = await get(id, '?chunks=true&limit=2')
    expect(first.chunks.items.map((chunk: any) => [chunk.position, chunk.headings])).toEqual([
      [0, ['A']],
      [1, ['B']],
    ])
    const rest = await get(id, `?chunks=true&limit=2&cursor=${first.chunks.nextCursor}`)
    expect([rest.chunks.items.length, rest.chunks.nextCursor]).toEqual([1, null])
    const { memory } = (await tenant.get(`/v1/memories/${rest.chunks.items[0].memoryId}`)).json
    expect(memory).toMatchObject({ content: 'Brewing › C\n\nThree.', createdBy: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  })
})

describe('whoever', () => {
  test('puts at once, one makes the document and its last version is whole', async () => {
    const contents = Array.from({ length: 6 }, (_, i) => `# V${i}\n\nWhat ${i} says.\n\n# Same\n\nAs ever.`)
    const all = await Promise.all(contents.map((content) => put({ content })))
    expect(all.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201])
    const { id } = (all[0] as Answer).json.document
    const { document } = await get(id, '?content=true')
    expect(document).toMatchObject({ version: 6, chunkCount: 2, syncStatus: 'synced' })
    const version = contents.indexOf(document.content)
    expect((await chunksOf(id)).map(({ content }) => content)).toEqual([
      `Brewing › V${version}\n\nWhat ${version} says.`,
      'Brewing › Same\n\nAs ever.',
    ])
    expect(await said('says', { mode: 'text' })).toEqual([`Brewing › V${version}\n\nWhat ${version} says.`])
  })

  test('names a version puts and deletes that one and no other', async () => {
    const match = (version: number) => ({ headers: { 'if-match': `"${version}"` } })
    expect((await put({}, match(1))).json).toMatchObject({ code: 'version_mismatch', currentVersion: null })
    const { id } = (await put()).json.document
    expect((await put({ title: 'Tea' }, match(1))).headers.get('etag')).toBe('"2"')
    expect((await put({ title: 'Tea too' }, match(1))).json).toMatchObject({ code: 'version_mismatch', currentVersion: 2 })
    expect((await tenant.del(`/v1/documents/${id}`, match(1))).json).toMatchObject({ code: 'version_mismatch', currentVersion: 2 })
    expect((await tenant.del(`/v1/documents/${id}`, match(2))).status).toBe(200)
  })

  test('asks twice under one idempotency key gets one answer and does one thing', async () => {
    const ask = () => ({ headers: { 'idempotency-key': randomUUID() } })
    const [first, second, third] = [ask(), { headers: { ...ask().headers, 'if-match': '"1"' } }, ask()]
    const replay = (answer: Answer) => [answer.status, answer.headers.get('idempotency-replayed')]
    const made = await put({}, first)
    expect(replay(await put({}, first))).toEqual([201, 'true'])
    expect((await put({ title: 'Other' }, first)).json.code).toBe('idempotency_mismatch')
    expect(replay(await put({ title: 'Tea' }, second))).toEqual([200, null])
    expect(replay(await put({ title: 'Tea' }, second))).toEqual([200, 'true'])
    expect(replay(await put({ title: 'Tea' }, third))).toEqual([200, null])
    expect((await put({}, third)).json.code).toBe('idempotency_mismatch')
    const gone = ask()
    const path = `/v1/documents/${made.json.document.id}`
    expect((await tenant.del(path, gone)).json).toEqual({ deleted: true })
    expect(replay(await tenant.del(path, gone))).toEqual([200, 'true'])
    expect((await put({}, first)).json.code).toBe('gone')
    const actions = await here.owner(
      `select action, version from twofold.audit_log a join twofold.tenants t on t.id = a.tenant_id where t.uuid = $1 order by a.id`,
      [tenant.id],
    )
    expect(actions.map(({ action, version }) => `${action} ${version}`)).toEqual([
      'documents.put 1',
      'documents.put 2',
      'documents.delete 2',
    ])
  })

  test('has no grant for the namespace sees no document there, and who lacks the scope does nothing', async () => {
    const { id } = (await put()).json.document
    const bob = { key: await tenant.keyFor(['documents:read', 'documents:write'], ['user:bob']) }
    const reader = { key: await tenant.keyFor(['documents:read'], ['user:alice']) }
    const memories = { key: await tenant.keyFor(['memories:read', 'memories:write'], ['*']) }
    const codes = async (ask: Ask) => [
      (await tenant.get(`/v1/documents/${id}`, ask)).json.code,
      (await tenant.get('/v1/documents?namespace=user:alice', ask)).json.code,
      (await tenant.get('/v1/documents', ask)).json.items?.length ?? 'refused',
      (await put({ title: 'x' }, ask)).json.code,
      (await tenant.del(`/v1/documents/${id}`, ask)).json.code,
      (await tenant.post('/v1/documents/sync', { namespace: 'user:alice' }, ask)).json.code,
    ]
    expect(await codes(bob)).toEqual(['not_found', 'forbidden', 0, 'forbidden', 'not_found', 'forbidden'])
    expect(await codes(reader)).toEqual([undefined, undefined, 1, 'forbidden', 'forbidden', 'forbidden'])
    expect(await codes(memories)).toEqual(['forbidden', 'forbidden', 'refused', 'forbidden', 'forbidden', 'forbidden'])
    expect(await codes({ key: (await here.tenant()).key })).toEqual(['not_found', undefined, 0, undefined, 'not_found', undefined])
  })
})

describe('a list', () => {
  test('is filtered by path, status, type, hash and update, and comes in pages', async () => {
    const made = []
    for (const i of [1, 2, 3]) made.push((await put({ filePath: `${i}.${i === 3 ? 'txt' : 'md'}`, content: `Text ${i}.` })).json.document)
    here.pass(10_000)
    const since = here.deps.now().toISOString()
    const changed = (await put({ filePath: '2.md', content: 'Text 2 again.' })).json.document
    await put({ filePath: '1.md', namespace: 'user:bob' })
    const paths = async (query: string) => (await tenant.get(`/v1/documents?${query}`)).json.items.map((item: any) => item.filePath)
    expect(await paths('userId=alice')).toEqual(['1.md', '2.md', '3.txt'])
    expect(await paths('namespacePrefix=user')).toEqual(['1.md', '2.md', '3.txt', '1.md'])
    expect(await paths('namespace=user:alice&filePath=2.md')).toEqual(['2.md'])
    expect(await paths('userId=alice&documentType=text')).toEqual(['3.txt'])
    expect(await paths(`contentHash=${changed.contentHash}`)).toEqual(['2.md'])
    expect(await paths(`userId=alice&updatedSince=${since}`)).toEqual(['2.md'])
    expect(await paths('userId=alice&syncStatus=synced')).toEqual(['1.md', '2.md', '3.txt'])
    for (const status of ['pending', 'failed', 'stale']) expect(await paths(`syncStatus=${status}`)).toEqual([])
    const page = (await tenant.get('/v1/documents?userId=alice&limit=2')).json
    expect(page.items[0]).toEqual(made[0])
    expect(await paths(`userId=alice&limit=2&cursor=${page.nextCursor}`)).toEqual(['3.txt'])
  })
})

describe('deletion', () => {
  test('takes a document and its chunks out of everything, for good', async () => {
    const { id } = (await put({ content: `${BREWING} Ask Anna.` })).json.document
    const chunk = (await chunksOf(id))[0].memoryId
    await sweep(here.deps)
    const counts = () => here.deps.graph.counts(tenant.id, { generations: [1] })
    expect(await counts()).toMatchObject({ memories: 2 })
    here.pass(1000)
    expect((await tenant.del(`/v1/documents/${id}`)).json).toEqual({ deleted: true })
    expect(await said('tea')).toEqual([])
    expect(await said('tea', { asOf: here.deps.now().toISOString() })).toEqual([])
    expect((await tenant.get('/v1/memories?userId=alice&includeDeleted=true')).json.items).toEqual([])
    for (const path of [`/v1/documents/${id}`, `/v1/memories/${chunk}`]) expect((await tenant.get(path)).json.code).toBe('not_found')
    expect((await tenant.del(`/v1/documents/${id}`)).json.code).toBe('not_found')
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    for (const table of [
      'documents',
      'document_chunks',
      'memories',
      'memory_versions',
      'embeddings',
      'postings',
      'memory_entities',
      'entities',
    ])
      expect([table, await rows(table)]).toEqual([table, 0])
    expect(await counts()).toMatchObject({ memories: 0, entities: 0 })
  })

  test('leaves the path free at once', async () => {
    const first = (await put()).json.document
    await tenant.del(`/v1/documents/${first.id}`)
    const second = await put()
    expect([second.status, second.json.document.id === first.id]).toEqual([201, false])
    expect(await said('beans')).toHaveLength(2)
    await sweep(here.deps)
    expect(await said('beans')).toHaveLength(2)
  })
})

describe('a chunk', () => {
  test('is changed by its document alone: as a memory it is read, and refused to whoever would change it', async () => {
    const { id } = (await put()).json.document
    const [{ memoryId }] = (await chunksOf(id)) as [any]
    const path = `/v1/memories/${memoryId}`
    const refused = [
      await tenant.patch(path, { content: 'other' }),
      await tenant.patch(path, { importance: 9 }),
      await tenant.del(path),
      await tenant.del(`${path}?hard=true`),
      await tenant.post(`${path}/restore`, { version: 1 }),
    ]
    for (const { status, json } of refused) expect([status, json.code, json.documentId]).toEqual([409, 'conflict', id])
    expect(refused[0]?.json.detail).toContain(`document ${id}, guide/brewing.md`)
    const bob = { key: await tenant.keyFor(['memories:write'], ['user:bob']) }
    expect((await tenant.del(path, bob)).json.code).toBe('not_found')
    expect((await tenant.get(path)).json).toMatchObject({ memory: { version: 1, kind: 'document' }, receipt: { vectorWriteSuccess: true } })
    expect((await tenant.get(`${path}/history`)).json.items.map((item: any) => item.action)).toEqual(['documents.put'])
  })

  test('stays when all memories around it are deleted, and a memory that only calls itself a document is like any other', async () => {
    await put()
    const note = await tenant.add({ content: 'green tea', kind: 'document' })
    expect((await tenant.patch(`/v1/memories/${note.id}`, { content: 'black tea' })).status).toBe(200)
    expect((await tenant.post('/v1/memories/delete', { userId: 'alice', hard: true })).json).toMatchObject({
      matched: 1,
      deleted: 1,
      done: true,
    })
    expect(await said('tea')).toHaveLength(2)
  })
})
