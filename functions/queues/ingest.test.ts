import { randomUUID } from 'node:crypto'
import type { SQSRecord } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'
import type { DeadLetters } from './dead-letters.ts'
import { ingest } from './ingest.ts'

let here: World
let tenant: Tenant
let letters: { body: string; code: string; message: string; errors: unknown }[]
/** A dead-letter queue in memory: that a real one takes it is seen where the queues are tested. */
let dead: DeadLetters
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  letters = []
  dead = {
    maxReceives: async () => 3,
    async put({ body }, { code, message, details }) {
      letters.push({ body, code, message, errors: details.errors })
      return true
    },
  }
})

const event = (data: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  specversion: '1.0',
  id: randomUUID(),
  source: '/crm',
  type: 'twofold.memories.remember',
  tenant: tenant.id,
  datacontenttype: 'application/json',
  data,
  ...more,
})
const remember = (content: string, data: object = {}, more: object = {}) =>
  event({ userId: 'alice', content, extractEntities: false, ...data }, { ...more })

let sent = 1_700_000_000_000
const record = (body: unknown, attributes: object = {}): SQSRecord => ({
  messageId: randomUUID(),
  receiptHandle: 'x',
  body: typeof body === 'string' ? body : JSON.stringify(body),
  attributes: {
    ApproximateReceiveCount: '1',
    SentTimestamp: String(sent++),
    SenderId: 'AIDA',
    ApproximateFirstReceiveTimestamp: '1',
    ...attributes,
  } as SQSRecord['attributes'],
  messageAttributes: {},
  md5OfBody: '',
  eventSource: 'aws:sqs',
  eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:ingest',
  awsRegion: 'eu-west-1',
})

/** Which of the records come back. */
async function take(...records: SQSRecord[]): Promise<number[]> {
  const { batchItemFailures } = await ingest(here.deps, dead)({ Records: records })
  return batchItemFailures.map(({ itemIdentifier }) => records.findIndex(({ messageId }) => messageId === itemIdentifier)).sort()
}
const contents = async (query = 'userId=alice') => (await tenant.get(`/v1/memories?${query}`)).json.items.map((each: any) => each.content)

describe('an event', () => {
  test('is carried out as its operation, for the tenant it names, and audited by its source', async () => {
    const id = (await here.deps.id()) as string
    expect(await take(record(remember('From the CRM', { id })))).toEqual([])
    expect(await take(record(event({ id, content: 'From the CRM, corrected' }, { type: 'twofold.memories.update' })))).toEqual([])
    const { memory } = (await tenant.get(`/v1/memories/${id}`)).json
    expect(memory).toMatchObject({ content: 'From the CRM, corrected', version: 2, createdBy: 'queue:/crm', updatedBy: 'queue:/crm' })
    expect(await take(record(event({ id }, { type: 'twofold.memories.delete', source: '/erp' })))).toEqual([])
    expect((await tenant.get(`/v1/memories/${id}`)).status).toBe(404)
    const audited = async (source: string) =>
      (await tenant.get(`/v1/audit?actor=${encodeURIComponent(`queue:${source}`)}`)).json.items.map((entry: any) => entry.action)
    expect([await audited('/crm'), await audited('/erp')]).toEqual([['memories.update', 'memories.add'], ['memories.delete']])
    expect(letters).toEqual([])
  })

  test('names its tenant by name too, and reaches no other', async () => {
    const other = await here.tenant()
    expect(await take(record({ ...remember('By name'), tenant: other.id.toUpperCase() }))).toEqual([0])
    await here.owner(`update twofold.tenants set name = 'acme ' || name where uuid = $1`, [other.id])
    expect(await take(record({ ...remember('By name'), tenant: `acme ${other.id}` }))).toEqual([])
    expect(await contents()).toEqual([])
    expect((await other.get('/v1/memories?userId=alice')).json.items).toHaveLength(1)
    await here.owner(`update twofold.tenants set suspended_at = now() where uuid = $1`, [other.id])
    expect(await take(record({ ...remember('Too late'), tenant: other.id }))).toEqual([])
    expect(letters).toMatchObject([{ code: 'forbidden' }])
  })

  test('that comes twice, at once or later, is done once; the same id of another source is another event', async () => {
    const one = remember('Once')
    expect(await take(record(one), record(one), record(one))).toEqual([])
    expect(await take(record(one))).toEqual([])
    expect(await contents()).toEqual(['Once'])
    expect(await take(record({ ...one, source: '/erp' }))).toEqual([])
    expect(await contents()).toHaveLength(2)
    expect(letters).toEqual([])
    expect(await take(record({ ...one, data: { ...one.data, content: 'Something else' } }))).toEqual([])
    expect(letters).toMatchObject([{ code: 'idempotency_mismatch' }])
  })

  test('that cannot be one is set aside with the reason, and does not keep the others', async () => {
    const wrong: [unknown, string][] = [
      ['no json', 'event'],
      ['[]', 'event'],
      [{ ...remember('x'), specversion: '0.3' }, 'specversion'],
      [{ ...remember('x'), source: '' }, 'source'],
      [{ ...remember('x'), tenant: undefined }, 'tenant'],
      [{ ...remember('x'), type: 'twofold.memories.explode' }, 'type'],
      [{ ...remember('x'), type: 'constructor' }, 'type'],
      [{ ...remember('x'), datacontenttype: 'text/xml' }, 'datacontenttype'],
      [{ ...remember('x'), data: undefined, data_base64: 'eA==' }, 'data_base64'],
      [event({ userId: 'alice', content: 'x', unknown: 1 }), 'unknown'],
      [event({ content: 'nobody’s' }), 'namespace'],
      [remember('a\u0000b'), 'content'],
      [event({ id: 'no uuid', content: 'x' }, { type: 'twofold.memories.update' }), 'id'],
    ]
    expect(await take(...wrong.map(([body]) => record(body)), record(remember('Good')))).toEqual([])
    expect(await contents()).toEqual(['Good'])
    expect(letters).toHaveLength(wrong.length)
    for (const [body, path] of wrong) {
      const letter = letters.find((each) => each.body === (typeof body === 'string' ? body : JSON.stringify(body)))
      expect([path, letter?.code, letter?.errors]).toEqual([
        path,
        'invalid',
        expect.arrayContaining([{ path, message: expect.any(String) }]),
      ])
    }
  })

  test('says by ifversion what it means to change', async () => {
    const { id } = await tenant.add({ content: 'one', extractEntities: false })
    const change = (content: string, ifversion: number) => record(event({ id, content }, { type: 'twofold.memories.update', ifversion }))
    expect(await take(change('two', 1))).toEqual([])
    expect(await take(change('late', 1))).toEqual([])
    expect([(await tenant.get(`/v1/memories/${id}`)).json.memory.content, letters]).toMatchObject(['two', [{ code: 'version_mismatch' }]])
  })
})

describe('what happens in sessions and conversations', () => {
  test('is appended in the order in which it was sent, and once', async () => {
    await tenant.post('/v1/sessions', { id: 'today', appName: 'crm', userId: 'alice' })
    const happened = Array.from({ length: 10 }, (_, n) =>
      record(event({ id: 'today', event: { n }, stateDelta: { last: n } }, { type: 'twofold.events.append' })),
    )
    const again = happened.map(({ body }) => record(body))
    expect(await take(...happened.toReversed())).toEqual([])
    expect(await take(...again)).toEqual([])
    const { items } = (await tenant.get('/v1/sessions/today/events')).json
    expect(items.map((each: any) => [each.seq, each.event.n])).toEqual(happened.map((_, n) => [n + 1, n]))
    expect((await tenant.get('/v1/sessions/today')).json.session.state).toEqual({ last: 9 })
  })

  test('waits for its session, and says at last that there is none', async () => {
    const early = record(event({ id: 'tomorrow', event: { n: 1 } }, { type: 'twofold.events.append' }))
    expect(await take(early)).toEqual([0])
    early.attributes.ApproximateReceiveCount = '3'
    expect(await take(early)).toEqual([])
    expect(letters).toMatchObject([{ code: 'not_found', message: expect.stringContaining('session') }])
  })

  test('is a turn of its conversation, in the order in which it was sent, and once', async () => {
    const turn = (n: number) =>
      record(event({ id: 'support', userId: 'alice', query: `q${n}`, answer: `a${n}` }, { type: 'twofold.turns.add' }))
    const turns = [turn(1), turn(2), turn(3)]
    expect(await take(...turns.toReversed(), ...turns.map(({ body }) => record(body)))).toEqual([])
    const { json } = await tenant.get('/v1/conversations/support/context')
    expect(json.turns.map((each: any) => each.query)).toEqual(['q1', 'q2', 'q3'])
    expect(letters).toEqual([])
  })
})

describe('what may still succeed', () => {
  test('is left to the queue, and set aside with its last reason', async () => {
    const early = record(event({ id: randomUUID(), content: 'x' }, { type: 'twofold.memories.update' }))
    expect(await take(early)).toEqual([0])
    expect(letters).toEqual([])
    early.attributes.ApproximateReceiveCount = '3'
    expect(await take(early)).toEqual([])
    expect(letters).toMatchObject([{ code: 'not_found', message: expect.stringContaining('memory') }])
  })

  test('is left to the queue whole when nothing can be set aside', async () => {
    dead = { maxReceives: async () => null, put: async () => false }
    expect(await take(record('no json'), record(remember('Good')))).toEqual([0])
    dead.put = () => Promise.reject(new Error('away'))
    expect(await take(record(event({ content: 'x' })))).toEqual([0])
    expect(await contents()).toEqual(['Good'])
  })

  test('keeps what is behind it in its session waiting, and nothing else', async () => {
    const id = randomUUID()
    const first = event({ id, content: 'two', sessionId: 's' }, { type: 'twofold.memories.update' })
    const behind = remember('behind', { sessionId: 's' })
    const apart = remember('apart', { sessionId: 't' })
    expect(await take(record(first), record(behind), record(apart), record(remember('alone')))).toEqual([0, 1])
    expect((await contents()).sort()).toEqual(['alone', 'apart'])
    await tenant.add({ id, content: 'one', extractEntities: false })
    expect(await take(record(first), record(behind), record(apart))).toEqual([])
    expect((await contents()).sort()).toEqual(['alone', 'apart', 'behind', 'two'])
  })
})

describe('order', () => {
  test('within a session is that in which it was sent, however the batch is shuffled', async () => {
    const said = Array.from({ length: 12 }, (_, i) => record(remember(`${i}`, { sessionId: 'today' })))
    const others = Array.from({ length: 12 }, (_, i) => record(remember(`o${i}`, { sessionId: 'other' })))
    const shuffled = [...said, ...others].toSorted((a, b) => (a.messageId < b.messageId ? -1 : 1))
    expect(await take(...shuffled)).toEqual([])
    const all: string[] = await contents('userId=alice&limit=100')
    expect(all.filter((each) => !each.startsWith('o'))).toEqual(Array.from({ length: 12 }, (_, i) => `${i}`))
    expect(all.filter((each) => each.startsWith('o'))).toEqual(Array.from({ length: 12 }, (_, i) => `o${i}`))
  })

  test('of a queue that keeps groups is the group’s', async () => {
    const records = ['a', 'b', 'c'].map((content, i) =>
      record(remember(content), { MessageGroupId: 'g', SequenceNumber: String(i), SentTimestamp: String(9 - i) }),
    )
    expect(await take(...records)).toEqual([])
    expect(await contents()).toEqual(['a', 'b', 'c'])
  })
})
