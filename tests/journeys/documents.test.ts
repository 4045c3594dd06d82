import { providerServer } from '@twofold/models/fixture.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Client, client, eventually } from '../client.ts'
import { KEY, makeHome, type Process, start } from '../process.ts'

/** What people do with a long file, on the service as they start it with a provider of embeddings. */

vi.setConfig({ testTimeout: 400_000, hookTimeout: 240_000 })

const MIB = 1024 * 1024
const WORDS = 'river bridge lantern copper meadow signal harbour winter engine garden silver thunder'.split(' ')
const section = (i: number) =>
  `## Chapter ${i}\n\nThis is about case${i}, ${WORDS.map((word, j) => `${word}${(i * 31 + j * 17) % 997}`).join(' ')}.`
/** More than a request waits for the vectors of. */
const sections = Array.from({ length: 120 }, (_, i) => section(i))
const file = { namespace: 'user:alice', filePath: 'handbook.md', title: 'Handbook', content: sections.join('\n\n') }

let home: Awaited<ReturnType<typeof makeHome>>
let provider: Awaited<ReturnType<typeof providerServer>>
let service: Process
let asks: Client
beforeAll(async () => {
  ;[home, provider] = [await makeHome(), await providerServer()]
  service = await start(home.path, {
    ...{ EMBEDDING_MODEL: 'openai:test-embedding', EMBEDDING_DIMENSIONS: '64', OPENAI_BASE_URL: provider.url, OPENAI_API_KEY: 'test' },
    // Vectors alone are what is followed here; entities are found when all else has had its turn.
    REEMBED_INTERVAL_MS: '3600000',
  })
  asks = client(service.url, KEY)
})
afterAll(async () => {
  await service.end('SIGTERM')
  await provider.close()
  await home.remove()
})

const put = (more: object = {}) => asks.call('PUT', '/v1/documents', { ...file, ...more })
const found = async (query: string, mode = 'text'): Promise<string[]> =>
  (await asks.post('/v1/memories/search', { userId: 'alice', query, mode, kinds: ['document'], limit: 3 })).json.results.map(
    (result: any) => result.memory.content,
  )
/** Looks until it is not pending any more. Answers how much of it was there at each look. */
async function followed(id: string): Promise<{ document: any; done: number[] }> {
  const done: number[] = []
  const document = await eventually(
    async () => {
      const { document } = (await asks.get(`/v1/documents/${id}`)).json
      done.push(document.progress.done)
      return document
    },
    ({ syncStatus }) => syncStatus !== 'pending',
    300_000,
  )
  return { document, done }
}

test('a long file is followed by its id until all of it is found, edited for the price of what changed, and gone at once when it is deleted', async () => {
  const made = await put()
  expect([made.status, made.json.document]).toMatchObject([201, { syncStatus: 'pending', chunkCount: 120 }])
  const { id } = made.json.document
  const { document, done } = await followed(id)
  expect(document).toMatchObject({ syncStatus: 'synced', failure: null, progress: { total: 120, done: 120, left: 0 } })
  expect(done).toEqual(done.toSorted((a, b) => a - b))
  for (const mode of ['text', 'vector', 'hybrid'])
    expect(await found(section(119), mode)).toContainEqual(expect.stringContaining('about case119,'))

  const asked = { ...provider.requests }
  const edited = sections.with(60, '## Chapter 60\n\nOnly here stands the xylophone.').join('\n\n')
  expect((await put({ content: edited })).json.document).toMatchObject({ id, version: 2, chunkCount: 120 })
  expect((await followed(id)).document.syncStatus).toBe('synced')
  // One, and once more where a busy machine did not wait for it.
  expect(provider.requests.texts - asked.texts).toBeGreaterThan(0)
  expect(provider.requests.texts - asked.texts).toBeLessThan(5)
  expect(await found('xylophone')).toEqual(['Handbook › Chapter 60\n\nOnly here stands the xylophone.'])
  expect(await found('case60')).toEqual([])

  expect((await asks.del(`/v1/documents/${id}`)).json).toEqual({ deleted: true })
  for (const mode of ['text', 'vector', 'hybrid']) expect(await found('xylophone case119', mode)).toEqual([])
  expect((await asks.get(`/v1/documents/${id}`)).json.code).toBe('not_found')
})

test('what is too large or no text is refused, which says the limit or what it looks like, and leaves nothing', async () => {
  const most = 'a b\n'.repeat(MIB)
  const larger = await put({ filePath: 'larger.md', content: `${most}.` })
  expect([larger.status, larger.json.code, larger.json.maxBytes]).toEqual([413, 'too_large', 4 * MIB])
  expect(larger.json.detail).toBe('A document must not be larger than 4194304 bytes of content; this one has 4194305.')
  const image = Buffer.from([0x89, 0x50, 0x4e, 0x47, ...Array.from({ length: 999 }, (_, i) => 1 + ((i * 7) % 255))]).toString('latin1')
  const binary = await put({ filePath: 'image.png', content: image })
  expect([binary.status, binary.json.errors]).toEqual([
    400,
    [{ path: 'content', message: expect.stringMatching(/^must be text: \d+ of its \d+ characters are none that a text has$/) }],
  ])
  expect((await asks.get('/v1/documents')).json.items).toEqual([])
})
