import { type World, world } from '@twofold/functions/fixture.ts'
import { add } from '@twofold/functions/memories/add.ts'
import { serve } from '@twofold/operation/http.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ONCE, Scene, writing } from './rollback/scene.ts'
import { graph, type Stage, type Step, stage } from './rollback/stage.ts'

/** A write that the graph decides, and its caller: one who does not wait for the answer, and one who asks for what cannot be. */

let here: World
let on: Stage
let scene: Scene
beforeAll(async () => {
  here = await world()
  on = stage(here.deps)
})
beforeEach(async () => {
  here.deps.settings.rollbackOnPartialFailure = false
  scene = await new Scene(here, on).open()
})
afterAll(() => here.close())

describe('a caller who does not wait', () => {
  const impatient = (deadlineMs: number, signal?: AbortSignal) =>
    serve([{ ...add, deadlineMs }], here.composed.surroundings).request('/v1/memories', {
      method: 'POST',
      headers: { authorization: `Bearer ${scene.asks.key}`, 'content-type': 'application/json', ...ONCE.headers },
      body: JSON.stringify(writing(scene.id)),
      ...(signal && { signal }),
    })
  /** Ends the request at this step, and lets the step go on. */
  const endsAt = (step: Step, ends: () => unknown) => on.before(step, async () => void (await ends()))
  const settled = () => expect.poll(() => scene.isPending(), { timeout: 20_000 }).toBe(false)

  test.each([
    ['taken', 'lease', 'kept'],
    ['taken', 'decide', 'kept'],
    ['refused', 'lease', 'gone'],
    ['refused', 'decide', 'gone'],
  ] as const)('hangs up while it is being %s, at the %s: it is decided all the same', async (how, step, end) => {
    const hangs = new AbortController()
    if (how === 'refused') on.on('apply', graph.refuses)
    endsAt(step, () => hangs.abort())
    expect((await impatient(25_000, hangs.signal)).status).toBe(499)
    await settled()
    on.clear()
    if (end === 'kept') await scene.expectKept()
    else await scene.expectGone()
  })

  test('hangs up at the write: it is as if he had never asked', async () => {
    const hangs = new AbortController()
    endsAt('write', () => hangs.abort())
    expect((await impatient(25_000, hangs.signal)).status).toBe(499)
    await scene.expectGone()
  })

  test('is told at his deadline that nobody knows yet, and the same request again tells', async () => {
    endsAt('decide', () => new Promise((resolve) => setTimeout(resolve, 700)))
    const answer = await impatient(500)
    const { code, detail } = (await answer.json()) as { code: string; detail: string }
    expect([answer.status, code]).toEqual([504, 'timeout'])
    expect(detail).toContain('may still have happened')
    await settled()
    const again = await scene.write()
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    await scene.expectKept()
  })
})

describe('what cannot be rolled back', () => {
  test('a batch says so item by item, and an atomic one as a whole; nothing of these is stored', async () => {
    const items = [writing(scene.id), { userId: 'alice', content: 'quokka', onGraphFailure: 'rollback' }]
    const apart = await scene.asks.post('/v1/memories/batch', { items })
    expect(apart.json.items.map(({ error }: any) => [error.code, error.errors[0].path])).toEqual([
      ['invalid', 'onGraphFailure'],
      ['invalid', 'onGraphFailure'],
    ])
    const together = await scene.asks.post('/v1/memories/batch', { items, atomic: true })
    expect([together.status, together.json.code, together.json.errors[0].path]).toEqual([400, 'invalid', 'items.0.onGraphFailure'])
    const changed = await scene.asks.patch(`/v1/memories/${scene.id}`, { content: 'quokka', onGraphFailure: 'rollback' })
    expect([changed.status, changed.json.errors[0].path]).toEqual([400, 'onGraphFailure'])
    await scene.expectGone()
  })

  test('where it is the default it holds for every single new memory; batches and changes are owed', async () => {
    here.deps.settings.rollbackOnPartialFailure = true
    const { onGraphFailure: _, ...body } = writing(scene.id)
    on.on('apply', graph.away)
    const add = (more: object) => scene.asks.post('/v1/memories', { ...body, ...more })
    expect([(await add({})).status, (await add({ waitFor: 'graph' })).status]).toEqual([503, 503])
    const decision = await scene.asks.post('/v1/decisions', { userId: 'alice', title: 'quokka', rationale: 'quokka' })
    expect([decision.status, decision.json.code]).toEqual([503, 'unavailable'])
    on.clear()
    await scene.expectGone()
    on.on('apply', graph.away)
    const others = [
      await add({ id: undefined, key: 'a', waitFor: 'vector' }),
      await add({ id: undefined, key: 'b', onGraphFailure: 'queue' }),
      (await scene.asks.post('/v1/memories/batch', { items: [{ ...body, key: 'c', id: undefined }] })).json.items[0],
    ]
    expect(others.map((other) => (other.json ?? other).receipt.owed)).toEqual([['graph'], ['graph'], ['graph']])
    const changed = await scene.asks.patch(`/v1/memories/${others[0].json.memory.id}`, { content: 'changed', waitFor: 'graph' })
    expect([changed.status, changed.json.receipt.owed]).toEqual([200, ['graph']])
    on.clear()
    await scene.swept()
    await scene.expectAgreement()
  })
})
