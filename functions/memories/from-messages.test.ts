import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  here.provider.say(null)
  tenant = await here.tenant()
})

const namespace = 'user:alice'
const hear = (messages: unknown, more: object = {}, ask?: Ask) =>
  tenant.post('/v1/memories/from-messages', { userId: 'alice', messages, ...more }, ask)
const listed = async (query = ''): Promise<any[]> => (await tenant.get(`/v1/memories?namespace=${namespace}${query}`)).json.items
const contents = async () => (await listed()).map((memory) => memory.content)
const drift = async () => {
  here.pass(1000)
  for (let i = 0; i < 3; i++) await sweep(here.deps)
  return (await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })).json.result.inconsistencies
}
const outcomes = (json: any) => json.items.map(({ message, outcome }: any) => [message, outcome])

const said = [
  { role: 'user', name: 'Alice', content: 'I have moved to Paris.', createdAt: '2026-03-01T12:00:00Z' },
  { role: 'assistant', content: 'How is it there?' },
]

describe('without a model', () => {
  const raw = { infer: false }

  test('each message is a memory with who said it and when', async () => {
    const { status, json } = await hear(said, { ...raw, conversationId: 'c1', sessionId: 's1', taskId: 't1' })
    expect(status).toBe(201)
    const ties = { namespace, conversationId: 'c1', sessionId: 's1', taskId: 't1', version: 1 }
    expect(json.memories).toMatchObject([
      { content: said[0]?.content, speaker: 'Alice', occurredAt: '2026-03-01T12:00:00.000Z', ...ties },
      { content: said[1]?.content, speaker: 'assistant', ...ties },
    ])
    const [first, second] = json.memories.map((memory: any) => memory.id)
    expect(json).toMatchObject({
      superseded: [],
      unchanged: [],
      degraded: [],
      items: [
        { message: 0, outcome: 'added', id: first, receipt: { vectorWriteSuccess: true } },
        { message: 1, outcome: 'added', id: second },
      ],
    })
    expect(await contents()).toEqual(said.map(({ content }) => content))
    expect(await tenant.found({ query: 'moved to Paris' })).toContain(first)
    expect(await drift()).toEqual([])
  })

  test('heard twice they change nothing, and which memories said it already is answered', async () => {
    const first = (await hear(said, raw)).json
    const { status, json } = await hear([...said, { role: 'user', content: 'Fine' }], raw)
    const ids = first.memories.map((memory: any) => memory.id)
    expect([status, json.unchanged, outcomes(json)]).toEqual([
      201,
      ids,
      [
        [0, 'unchanged'],
        [1, 'unchanged'],
        [2, 'added'],
      ],
    ])
    expect(json.memories.map((memory: any) => memory.content)).toEqual(['Fine'])
    expect((await hear(said, raw)).json.memories).toEqual([])
    expect(await listed()).toHaveLength(3)
  })

  test('what somebody says twice is two things, and not more when it is heard again', async () => {
    const ok = { role: 'user', content: 'ok' }
    expect((await hear([ok, ok], raw)).json.memories).toHaveLength(2)
    expect((await hear([ok, ok], raw)).json.unchanged).toHaveLength(2)
    expect(await listed()).toHaveLength(2)
  })

  test('the same words by somebody else, at another time or in another namespace are heard anew', async () => {
    await hear([{ role: 'user', content: 'ok' }], raw)
    for (const message of [{ role: 'assistant' }, { role: 'user', name: 'Bob' }, { role: 'user', createdAt: '2026-03-01T12:00:00Z' }])
      expect((await hear([{ ...message, content: 'ok' }], raw)).json.memories).toHaveLength(1)
    expect((await hear([{ role: 'user', content: 'ok' }], { ...raw, userId: 'bob' })).json.memories).toHaveLength(1)
  })

  test('the same at the same moment is stored once', async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => hear(said, raw)))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect(await listed()).toHaveLength(2)
    expect(new Set(answers.flatMap(({ json }) => json.items.map((item: any) => item.id))).size).toBe(2)
  })

  test('what was deleted softly stays so; what was deleted for good can be heard again', async () => {
    const [first] = (await hear(said.slice(0, 1), raw)).json.memories
    await tenant.del(`/v1/memories/${first.id}`)
    expect((await hear(said.slice(0, 1), raw)).json.unchanged).toEqual([first.id])
    expect(await listed()).toEqual([])
    await tenant.del(`/v1/memories/${first.id}?hard=true`)
    expect(await here.owner(`select 1 from twofold.heard where memory_id = '${first.id}'`)).toEqual([])
    expect((await hear(said.slice(0, 1), raw)).json.memories).toHaveLength(1)
  })

  test('the same Idempotency-Key gives the first answer again', async () => {
    const ask = { headers: { 'idempotency-key': randomUUID() } }
    const first = await hear(said, raw, ask)
    const again = await hear(said, raw, ask)
    expect([again.status, again.headers.get('idempotency-replayed'), outcomes(again.json)]).toEqual([201, 'true', outcomes(first.json)])
    expect(again.json.memories).toEqual(first.json.memories)
    expect((await hear(said.slice(1), raw, ask)).json.code).toBe('idempotency_mismatch')
  })

  const MINUTES = 120_000

  test(
    'two MiB of messages are taken',
    async () => {
      const long = Array.from({ length: 22 }, (_, i) => ({ role: 'user', content: `${i} ${'long words '.repeat(9_000)}` }))
      expect((await hear(long, raw)).json.memories).toHaveLength(22)
    },
    MINUTES,
  )

  test(
    'five hundred messages are taken',
    async () => {
      const many = Array.from({ length: 500 }, (_, i) => ({ role: 'user', content: `message ${i}` }))
      expect((await hear(many, raw)).json.memories).toHaveLength(500)
    },
    MINUTES,
  )
})

test.each<[unknown, string]>([
  [[], 'messages'],
  [Array.from({ length: 501 }, () => ({ role: 'user', content: 'x' })), 'messages'],
  [[{ role: 'user' }], 'messages[0].content'],
  [[{ role: 'user', content: '' }], 'messages[0].content'],
  [[{ role: 'user', content: 'a\0b' }], 'messages[0].content'],
  [[{ role: 'user', content: 'x', createdAt: '0000-01-01T00:00:00Z' }], 'messages[0].createdAt'],
  [[{ role: 'user', content: 'x', createdAt: '+300000-01-01T00:00:00Z' }], 'messages[0].createdAt'],
  [[{ role: '', content: 'x' }], 'messages[0].role'],
  [[{ role: 'user', content: 'x', tool: 1 }], 'messages[0].tool'],
  [[{ role: 'user', content: 'x'.repeat(100_001) }], 'messages[0].content'],
  ['hello', 'messages'],
])('what is no list of messages is refused with the path of each (%#)', async (messages, path) => {
  const { status, json } = await hear(messages)
  expect([status, json.errors.map((e: any) => e.path)]).toEqual([400, expect.arrayContaining([path])])
})

test('more than 4 MiB are refused', async () => {
  const { status, json } = await hear([{ role: 'user', content: 'x'.repeat(4 * 1024 * 1024) }])
  expect([status, json.code]).toEqual([413, 'too_large'])
})

test('a key needs to write there', async () => {
  const elsewhere = await tenant.keyFor(['memories:write'], ['user:bob'])
  expect((await hear(said, { infer: false }, { key: elsewhere })).status).toBe(403)
})

describe('with a model', () => {
  interface Asked {
    messages: { number: number; text: string; speaker: string }[]
    known: { number: number; text: string }[]
  }
  const answer = (facts: (asked: Asked) => unknown) => here.provider.say((asked) => ({ facts: facts(asked) }))
  const knownAs = (known: Asked['known'], text: string) => known.find((it) => it.text === text)?.number ?? null
  const add = async (content: string, more: object = {}) => (await tenant.add({ content, extractEntities: false, ...more })).id

  test('facts are added, updated, superseded or unchanged, each with the message it comes from', async () => {
    const [rome, dog, tea] = [await add('Alice lives in Rome'), await add('Alice has a dog'), await add('Alice likes tea')]
    answer(({ known }) => [
      { message: 1, text: 'Alice has moved to Paris', event: 'supersede', known: knownAs(known, 'Alice lives in Rome') },
      { message: 1, text: 'Alice has a dog called Rex', event: 'update', known: knownAs(known, 'Alice has a dog') },
      { message: 2, text: 'Alice likes tea', event: 'same', known: knownAs(known, 'Alice likes tea') },
      { message: 2, text: 'Alice plays chess', event: 'add', known: null },
    ])
    const messages = [
      { role: 'user', name: 'Alice', content: 'We have moved to Paris, and Rex the dog with us', createdAt: '2026-03-01T12:00:00Z' },
      { role: 'user', name: 'Alice', content: 'I still like tea, and play chess' },
      { role: 'assistant', content: 'Nice' },
    ]
    const { status, json } = await hear(messages)
    expect([status, json.degraded]).toEqual([201, []])
    expect(outcomes(json)).toEqual([
      [0, 'superseded'],
      [0, 'updated'],
      [1, 'unchanged'],
      [1, 'added'],
      [2, 'unchanged'],
    ])
    const [paris, rex, , chess, nothing] = json.items
    expect([paris.supersedes, rex.id, json.superseded, json.unchanged, nothing.id]).toEqual([rome, dog, [rome], [tea], null])
    expect(await listed('&includeDeleted=true')).toMatchObject([
      { id: rome, supersededBy: paris.id },
      { id: dog, content: 'Alice has a dog called Rex', version: 2 },
      { id: tea, version: 1 },
      { id: paris.id, content: 'Alice has moved to Paris', occurredAt: '2026-03-01T12:00:00.000Z', speaker: null },
      { id: chess.id, content: 'Alice plays chess' },
    ])
    expect(json.memories.map((memory: any) => memory.id).toSorted()).toEqual([paris.id, dog, chess.id].toSorted())
    expect(await drift()).toEqual([])
    const { edges } = (await tenant.post('/v1/graph/query', { start: { memoryId: paris.id }, via: ['SUPERSEDES'] })).json
    expect(edges).toMatchObject([{ from: paris.id, to: rome, type: 'SUPERSEDES' }])
    expect((await tenant.post(`/v1/memories/${rome}/restore`)).status).toBe(200)
    expect(await drift()).toEqual([])
  })

  test('heard twice nothing changes, and no model is asked, whatever it would say', async () => {
    const first = (await hear(said)).json
    const before = { ...here.provider.requests }
    answer(() => [{ message: 1, text: 'Something else', event: 'add', known: null }])
    const { json } = await hear(said)
    expect([json.memories, json.unchanged]).toEqual([[], first.memories.map((memory: any) => memory.id)])
    expect(here.provider.requests).toEqual(before)
    expect(await listed()).toHaveLength(2)
  })

  test('a message without facts is heard too', async () => {
    answer(() => [])
    expect((await hear(said)).json).toMatchObject({
      memories: [],
      unchanged: [],
      items: [{ outcome: 'unchanged', id: null }, { id: null }],
    })
    const before = { ...here.provider.requests }
    expect((await hear(said)).json.items).toMatchObject([{ outcome: 'unchanged', id: null }, { id: null }])
    expect(here.provider.requests).toEqual(before)
  })

  test('what is known in the same words is known, whatever the model says', async () => {
    const known = await add('Alice likes tea')
    answer(() => [{ message: 1, text: 'alice likes tea.', event: 'add', known: null }])
    expect((await hear([{ role: 'user', content: 'Alice likes tea' }])).json).toMatchObject({ memories: [], unchanged: [known] })
  })

  test('a fact that comes twice is one', async () => {
    answer(() => [1, 2].map((message) => ({ message, text: 'Alice is in Paris', event: 'add', known: null })))
    const { json } = await hear(said)
    expect([json.memories.length, outcomes(json)]).toEqual([
      1,
      [
        [0, 'added'],
        [1, 'unchanged'],
      ],
    ])
  })

  test('the model may only name what it was shown: what stands to anything else is added', async () => {
    const other = await add('Bob lives in Rome', { namespace: 'user:bob' })
    await add('Alice has a dog')
    answer(() => [
      { message: 1, text: 'Alice lives in Paris', event: 'supersede', known: 99 },
      { message: 1, text: 'Alice is happy', event: 'update', known: null },
    ])
    const { json } = await hear(said)
    expect([outcomes(json).map(([, outcome]: [number, string]) => outcome), json.superseded]).toEqual([['added', 'added', 'unchanged'], []])
    expect((await tenant.get(`/v1/memories/${other}`)).json.memory.version).toBe(1)
  })

  test('what has a key or fields of its own is changed by nobody who overheard it', async () => {
    const keyed = await add('Alice lives in Rome', { key: 'home' })
    answer(() => [{ message: 1, text: 'Alice lives in Paris', event: 'supersede', known: 1 }])
    expect((await hear(said.slice(0, 1))).json).toMatchObject({ superseded: [], items: [{ outcome: 'added' }] })
    expect((await tenant.get(`/v1/memories/${keyed}`)).status).toBe(200)
  })

  test('of two facts about one thing only the first changes it', async () => {
    const home = await add('Alice lives in Rome')
    answer(() => ['Paris', 'Lyon'].map((city) => ({ message: 1, text: `Alice lives in ${city}`, event: 'supersede', known: 1 })))
    const { json } = await hear(said.slice(0, 1))
    expect([outcomes(json), json.superseded]).toEqual([
      [
        [0, 'superseded'],
        [0, 'added'],
      ],
      [home],
    ])
  })

  const nonsense: [string, unknown][] = [
    ['a message it was not shown', { facts: [{ message: 9, text: 'Alice lives in Paris', event: 'add', known: null }] }],
    ['a blank fact', { facts: [{ message: 1, text: ' ', event: 'add', known: null }] }],
    ['a fact that no text can be', { facts: [{ message: 1, text: 'a\0b', event: 'add', known: null }] }],
    ['facts without end', { facts: Array.from({ length: 30 }, (_, i) => ({ message: 1, text: `fact ${i}`, event: 'add', known: null })) }],
    ['another form', { people: ['Alice'] }],
    ['no JSON', 'I would rather not'],
  ]
  test.each(nonsense)('when it answers %s, each message is kept as it is, and that is said', async (_, saying) => {
    here.provider.say(() => saying)
    const { status, json } = await hear(said)
    expect([status, json.degraded, json.memories.map((memory: any) => memory.speaker)]).toEqual([
      201,
      ['language_model'],
      ['Alice', 'assistant'],
    ])
    expect(await contents()).toEqual(said.map(({ content }) => content))
  })

  test.each(['server-error', 'rate-limited', 'malformed', 'cut'] as const)(
    'when it fails (%s), nothing is lost either',
    async (failure) => {
      here.provider.fail(failure)
      const ask = { headers: { 'idempotency-key': randomUUID() } }
      const { status, json } = await hear(said, {}, ask)
      expect([status, json.degraded, json.memories.length]).toEqual([201, ['language_model'], 2])
      expect(json.items[0].receipt.owed).toContain('embedding')
      expect((await hear(said, {}, ask)).json).toMatchObject({
        degraded: ['language_model'],
        items: json.items.map(({ id }: any) => ({ id })),
      })
      here.provider.fail(null)
      expect((await hear(said)).json.memories).toEqual([])
    },
  )

  test('an edit that comes while it thinks wins: the fact then stands beside it', async () => {
    const [home, dog] = [await add('Alice lives in Rome'), await add('Alice has a dog')]
    here.provider.say(async ({ known }) => {
      for (const id of [home, dog]) await tenant.patch(`/v1/memories/${id}`, { importance: 9 })
      return {
        facts: [
          { message: 1, text: 'Alice lives in Paris', event: 'supersede', known: knownAs(known, 'Alice lives in Rome') },
          { message: 1, text: 'Alice has a dog called Rex', event: 'update', known: knownAs(known, 'Alice has a dog') },
        ],
      }
    })
    const { json } = await hear(said.slice(0, 1))
    expect([json.superseded, outcomes(json)]).toEqual([
      [],
      [
        [0, 'added'],
        [0, 'added'],
      ],
    ])
    expect(await listed()).toMatchObject([
      { id: home, content: 'Alice lives in Rome', version: 2 },
      { id: dog, content: 'Alice has a dog', version: 2 },
      { content: 'Alice lives in Paris' },
      { content: 'Alice has a dog called Rex' },
    ])
    expect(await tenant.found({ query: 'Alice has a dog called Rex', mode: 'vector', threshold: 0.99 })).toHaveLength(1)
    expect(await drift()).toEqual([])
  })

  test('what is deleted for good while it thinks is not named as what said it already', async () => {
    const [tea, dog] = [await add('Alice likes tea'), await add('Alice has a dog')]
    here.provider.say(async ({ known }) => {
      await tenant.del(`/v1/memories/${tea}?hard=true`)
      await tenant.patch(`/v1/memories/${dog}`, { importance: 9 })
      return {
        facts: [
          { message: 1, text: 'Alice likes tea', event: 'same', known: knownAs(known, 'Alice likes tea') },
          { message: 1, text: 'Alice has a dog called Rex', event: 'update', known: knownAs(known, 'Alice has a dog') },
        ],
      }
    })
    const ask = { headers: { 'idempotency-key': randomUUID() } }
    const { status, json } = await hear(said.slice(0, 1), {}, ask)
    expect([status, outcomes(json).map(([, outcome]: [number, string]) => outcome)]).toEqual([201, ['unchanged', 'added']])
    expect(outcomes((await hear(said.slice(0, 1), {}, ask)).json)).toEqual(outcomes(json))
    expect((await hear(said.slice(0, 1))).json.memories).toEqual([])
  })

  test('the same Idempotency-Key gives the first answer again, and asks no model', async () => {
    await add('Alice lives in Rome')
    answer(() => [{ message: 1, text: 'Alice lives in Paris', event: 'supersede', known: 1 }])
    const ask = { headers: { 'idempotency-key': randomUUID() } }
    const first = (await hear(said, {}, ask)).json
    const before = { ...here.provider.requests }
    const again = (await hear(said, {}, ask)).json
    expect([again.memories, again.superseded, again.unchanged, outcomes(again)]).toEqual([
      first.memories,
      first.superseded,
      first.unchanged,
      outcomes(first),
    ])
    expect(here.provider.requests).toEqual(before)
    await tenant.del(`/v1/memories/${first.memories[0].id}?hard=true`)
    expect((await hear(said, {}, ask)).status).toBe(410)
  })
})

describe('where there is no model', () => {
  let bare: World
  beforeAll(async () => {
    bare = await world({ LANGUAGE_MODEL: 'embedded' })
  })
  afterAll(() => bare.close())

  test('messages are kept as they are; who asked for facts is told', async () => {
    const alone = await bare.tenant()
    const ask = (more: object) => alone.post('/v1/memories/from-messages', { namespace, messages: said, ...more })
    expect((await ask({})).json).toMatchObject({ degraded: [], memories: [{ speaker: 'Alice' }, { speaker: 'assistant' }] })
    expect((await ask({ namespace: 'user:bob', infer: true })).json).toMatchObject({ degraded: ['language_model'], memories: [{}, {}] })
  })
})
