import { randomUUID } from 'node:crypto'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
let memory: Memory
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  tenant = await here.tenant()
  memory = await tenant.add({ content: 'Anna likes tea.', metadata: { a: 1 }, tags: ['x'], key: 'drink' })
})

const patch = (body: unknown, headers: Record<string, string> = {}) => tenant.patch(`/v1/memories/${memory.id}`, body, { headers })
const read = async () => (await tenant.get(`/v1/memories/${memory.id}`)).json.memory
const audited = async () =>
  (await here.owner('select action from twofold.audit_log where target = $1 order by id', [memory.id])).map((row) => row.action)
/** The vector that is stored belongs to the content that is stored. */
const vectorBelongs = async (content: string) =>
  expect(await tenant.found({ query: content, mode: 'vector', threshold: 0.9999, precision: 'exact' })).toEqual([memory.id])

describe('a change', () => {
  test('names some fields and leaves the others; it is a new version', async () => {
    const { status, json, headers } = await patch({ importance: 9, metadata: { b: 2 }, tags: [], summary: 'tea', kind: 'preference' })
    expect([status, headers.get('etag')]).toEqual([200, '"2"'])
    expect(json.memory).toEqual({
      ...memory,
      ...{ importance: 9, metadata: { b: 2 }, tags: [], summary: 'tea', kind: 'preference', version: 2 },
      updatedAt: expect.any(String),
    })
    expect(Date.parse(json.memory.updatedAt)).toBeGreaterThan(Date.parse(memory.updatedAt))
    expect(await read()).toEqual(json.memory)
    expect(await audited()).toEqual(['memories.add', 'memories.update'])
  })

  test('of the content brings vector, words and entities along', async () => {
    const { json } = await patch({ content: 'Bert prefers coffee.', waitFor: 'graph' })
    expect(json.memory.entities.map((e: { value: string }) => e.value)).toEqual(['Bert'])
    expect(json.receipt).toMatchObject({ owed: [], stores: { vector: { version: 2 }, graph: { state: 'written', version: 2 } } })
    expect(await tenant.found({ query: 'tea', mode: 'text' })).toEqual([])
    expect(await tenant.found({ query: 'coffee', mode: 'text' })).toEqual([memory.id])
    await vectorBelongs('Bert prefers coffee.')
    expect((await tenant.get('/v1/graph/entities')).json.items.map((e: { value: string }) => e.value)).toEqual(['Bert'])
  })

  test('of anything else costs no model and leaves the vector where it is', async () => {
    const before = { ...here.provider.requests }
    await patch({ importance: 1, metadata: {}, type: 'episodic' })
    expect(here.provider.requests).toEqual(before)
    expect(await tenant.found({ query: 'tea', types: ['episodic'] })).toEqual([memory.id])
    expect(await tenant.found({ query: 'tea', types: ['semantic'] })).toEqual([])
    await vectorBelongs('Anna likes tea.')
  })

  test('of anything else leaves what is mentioned where it is', async () => {
    const rows = () =>
      here.owner('select xmin::text, entity_id::text from twofold.memory_entities where memory_id = $1 order by entity_id', [memory.id])
    const before = await rows()
    expect(before.length).toBe(1)
    await patch({ importance: 1, metadata: { b: 2 } })
    expect(await rows()).toEqual(before)
  })

  test('can take away what may be absent', async () => {
    await patch({ summary: 's', speaker: 'Ann', expiresAt: '2999-01-01T00:00:00Z', taskId: 't' })
    const { json } = await patch({ summary: null, speaker: null, expiresAt: null, taskId: null, key: null, value: null })
    expect(json.memory).toMatchObject({ summary: null, speaker: null, expiresAt: null, taskId: null, key: null, value: null })
    await tenant.add({ content: 'another', key: 'drink' })
  })

  test('of who said it, or when, makes words and vector anew', async () => {
    await patch({ speaker: 'Zoe', occurredAt: '2023-05-08T10:00:00Z' })
    expect(await tenant.found({ query: 'zoe', mode: 'text' })).toEqual([memory.id])
    await vectorBelongs('Zoe (8 May 2023): Anna likes tea.')
  })

  test('with an own vector keeps content and vector together', async () => {
    const embedding = Array.from({ length: 64 }, (_, i) => (i === 1 ? 2 : 0))
    await patch({ content: 'own', embedding })
    expect(await tenant.found({ embedding, mode: 'vector', threshold: 0.9999 })).toEqual([memory.id])
    await patch({ content: 'theirs' })
    expect(await tenant.found({ embedding, mode: 'vector', threshold: 0.9999 })).toEqual([])
    await vectorBelongs('theirs')
  })

  test('while the model is down: the old vector does not answer for the new text', async () => {
    here.provider.fail('server-error')
    const { json } = await patch({ content: 'Bert prefers coffee.' })
    expect(json.receipt.owed).toEqual(['embedding', 'entities', 'graph'])
    here.provider.fail(null)
    expect(await tenant.found({ query: 'Anna likes tea.', mode: 'vector', threshold: 0 })).toEqual([])
    expect(await tenant.found({ query: 'coffee' })).toEqual([memory.id])
    const later = await patch({ importance: 2 })
    expect(later.json.receipt.owed).toEqual(['embedding', 'entities', 'graph'])
    const again = await patch({ content: 'Bert loves coffee.' })
    expect(again.json.receipt.owed).toEqual(['graph'])
    await vectorBelongs('Bert loves coffee.')
  })

  test('that names nothing, or what cannot be changed, is refused by name', async () => {
    for (const [body, path] of [
      [{}, 'body'],
      [{ waitFor: 'graph' }, 'body'],
      [{ namespace: 'user:bob', importance: 1 }, 'namespace'],
      [{ version: 3, importance: 1 }, 'version'],
      [{ content: '' }, 'content'],
      [{ content: null }, 'content'],
      [{ importance: 11 }, 'importance'],
      [{ id: randomUUID(), importance: 1 }, 'id'],
      [{ expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
      [{ embedding: [1, 2] }, 'embedding'],
    ] as const) {
      const { status, json } = await patch(body)
      expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
    }
    expect(await read()).toEqual(memory)
  })
})

describe('If-Match', () => {
  test('with the current version, or *, lets the change happen', async () => {
    expect((await patch({ importance: 1 }, { 'if-match': '"1"' })).status).toBe(200)
    expect((await patch({ importance: 2 }, { 'if-match': '*' })).json.memory.version).toBe(3)
  })

  test('with another names the current one and leaves no trace', async () => {
    await patch({ importance: 1 })
    const { status, json } = await patch({ importance: 2, content: 'new' }, { 'if-match': '"1"' })
    expect([status, json.code, json.currentVersion]).toEqual([412, 'version_mismatch', 2])
    expect((await read()).version).toBe(2)
    expect(await audited()).toEqual(['memories.add', 'memories.update'])
  })

  test('of eight at once lets one through', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => patch({ content: `writer ${i}` }, { 'if-match': '"1"' })))
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)])
    const now = await read()
    expect(now).toEqual(all.find(({ status }) => status === 200)?.json.memory)
    expect(all.filter(({ status }) => status === 412).every(({ json }) => json.currentVersion === 2)).toBe(true)
    expect(await audited()).toEqual(['memories.add', 'memories.update'])
    await vectorBelongs(now.content)
  })

  test('that is no version is refused', async () => {
    for (const bad of ['1', 'W/"1"', '"0"', '"1", "2"', '"99999999999"']) {
      const { status, json } = await patch({ importance: 1 }, { 'if-match': bad })
      expect([status, json.errors[0].path]).toEqual([400, 'headers.If-Match'])
    }
  })
})

describe('sixteen at once', () => {
  test('all land, each as a version of its own, and nothing is lost between them', async () => {
    const all = await Promise.all(
      Array.from({ length: 16 }, (_, i) => patch(i % 2 ? { content: `content ${i}` } : { metadata: { writer: i } })),
    )
    expect(all.map(({ status }) => status)).toEqual(Array(16).fill(200))
    expect(all.map(({ json }) => json.memory.version).sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i + 2))
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history?limit=100`)).json
    const versions: Memory[] = items.map((item: { memory: Memory }) => item.memory).reverse()
    for (const { json } of all) expect(versions[json.memory.version - 1]).toEqual(json.memory)
    versions.slice(1).forEach((after, i) => {
      const before = versions[i] as Memory
      const changed = [after.content !== before.content, JSON.stringify(after.metadata) !== JSON.stringify(before.metadata)]
      expect(changed.filter(Boolean).length).toBe(1)
    })
    expect(await audited()).toEqual(['memories.add', ...Array(16).fill('memories.update')])
    await vectorBelongs((await read()).content)
  })

  test('with deletions among them: each answer is true', async () => {
    const all = await Promise.all([
      ...Array.from({ length: 6 }, (_, i) => patch({ importance: i })),
      ...Array.from({ length: 2 }, () => tenant.del(`/v1/memories/${memory.id}`)),
    ])
    const landed = all.slice(0, 6).filter(({ status }) => status === 200)
    expect(
      all
        .slice(6)
        .map(({ status }) => status)
        .sort(),
    ).toEqual([200, 404])
    expect(all.slice(0, 6).filter(({ status }) => status !== 200 && status !== 404)).toEqual([])
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history`)).json
    expect(items.length).toBe(1 + landed.length + 1)
    expect(items[0].action).toBe('memories.delete')
  })
})

describe('a key', () => {
  test('of another live memory is a conflict, and nothing changes', async () => {
    const other = await tenant.add({ content: 'other' })
    const { status, json } = await tenant.patch(`/v1/memories/${other.id}`, { key: 'drink', content: 'new' })
    expect([status, json.code]).toEqual([409, 'conflict'])
    expect((await tenant.get(`/v1/memories/${other.id}`)).json.memory).toEqual(other)
    expect(json.detail).not.toMatch(/memories_by_key|duplicate/)
  })
})

describe('an idempotency key', () => {
  const once = { 'idempotency-key': 'patch-1' }

  test('gives the first answer again, whatever happened since', async () => {
    const first = await patch({ importance: 1 }, { ...once, 'if-match': '"1"' })
    await patch({ importance: 2 })
    const again = await patch({ importance: 1 }, { ...once, 'if-match': '"1"' })
    expect([again.status, again.headers.get('idempotency-replayed'), again.headers.get('etag')]).toEqual([200, 'true', '"2"'])
    expect(again.json.memory).toEqual(first.json.memory)
    await tenant.del(`/v1/memories/${memory.id}`)
    expect((await patch({ importance: 1 }, { ...once, 'if-match': '"1"' })).json.memory).toEqual(first.json.memory)
    expect((await patch({ importance: 3 }, once)).json.code).toBe('idempotency_mismatch')
    await tenant.del(`/v1/memories/${memory.id}?hard=true`)
    expect((await patch({ importance: 1 }, { ...once, 'if-match': '"1"' })).status).toBe(410)
  })

  test('sent by eight twins at once changes once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => patch({ content: 'twins' }, once)))
    expect(all.filter(({ status, json }) => status !== 200 && json.code !== 'in_progress')).toEqual([])
    expect(new Set(all.filter(({ status }) => status === 200).map(({ json }) => json.memory.version))).toEqual(new Set([2]))
    expect((await read()).version).toBe(2)
  })
})

describe('what is not there for the caller', () => {
  test('answers 404: unknown, deleted, expired, of another tenant, outside the grant', async () => {
    const narrow = await tenant.keyFor(['memories:write'], ['user:bob'])
    const other = await here.tenant()
    const expiring = await tenant.add({ content: 'soon gone', expiresAt: new Date(Date.now() + 3_600_000).toISOString() })
    const deleted = await tenant.add({ content: 'deleted' })
    await tenant.del(`/v1/memories/${deleted.id}`)
    here.pass(3_700_000)
    for (const answer of [
      await tenant.patch(`/v1/memories/${randomUUID()}`, { importance: 1 }),
      await tenant.patch(`/v1/memories/${deleted.id}`, { importance: 1 }),
      await tenant.patch(`/v1/memories/${expiring.id}`, { importance: 1 }),
      await other.patch(`/v1/memories/${memory.id}`, { importance: 1 }),
      await patchAs(narrow),
    ]) {
      expect([answer.status, answer.json.code, answer.json.detail]).toEqual([404, 'not_found', 'There is no such memory.'])
    }
    expect(await read()).toEqual(memory)
  })

  test('a key without the scope is refused before anything is read', async () => {
    expect((await patchAs(await tenant.keyFor(['memories:read'], ['*']))).status).toBe(403)
    expect((await patchAs(null)).status).toBe(401)
  })

  const patchAs = (key: string | null) => tenant.patch(`/v1/memories/${memory.id}`, { importance: 1 }, { key })
})
