import { project } from '@twofold/core/graph/project.ts'
import { sweep, type World, world } from '@twofold/functions/fixture.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ONCE, Scene, writing } from './rollback/scene.ts'
import { dies, graph, type Stage, type Step, stage } from './rollback/stage.ts'

/** A write that the graph decides, while others are at it: the sweep, twins, other writers of the graph; and after its process died. */

let here: World
let on: Stage
let scene: Scene
beforeAll(async () => {
  here = await world()
  on = stage(here.deps)
})
beforeEach(async () => {
  here.deps.settings.graphDeadlineMs = PATIENT
  scene = await new Scene(here, on).open()
})
afterAll(() => here.close())

const PATIENT = 10_000
/** While `work` runs nobody waits long for the graph. */
const inHaste = async <T>(work: () => Promise<T>): Promise<T> => {
  here.deps.settings.graphDeadlineMs = 150
  try {
    return await work()
  } finally {
    here.deps.settings.graphDeadlineMs = PATIENT
  }
}
/** The sweep, when the time of the request is over. */
const late = async () => {
  here.pass(31_000)
  await sweep(here.deps)
}

describe('a process that dies', () => {
  const ENDS: [at: Step, when: 'before' | 'after', inGraph: boolean][] = [
    ['write', 'after', false],
    ['lease', 'before', false],
    ['lease', 'after', false],
    ['apply', 'before', false],
    ['apply', 'after', false],
    ['settle', 'before', false],
    ['settle', 'after', true],
    ['decide', 'before', true],
  ]
  test.each(ENDS)('%s, %s it: the sweep publishes what the graph takes', async (step, when) => {
    dies(on, step, when)
    await scene.write()
    on.clear()
    expect([await scene.isPending(), await scene.leaks()]).toEqual([true, []])
    await late()
    await scene.expectKept()
  })

  test.each(ENDS)('%s, %s it: the sweep takes back what the graph does not', async (step, when, inGraph) => {
    dies(on, step, when)
    await scene.write()
    on.clear()
    on.on('apply', graph.refuses)
    await inHaste(late)
    on.clear()
    if (inGraph) await scene.expectKept()
    else await scene.expectGone()
  })

  test('and is swept only when its idempotency key is that of another request: that one keeps it', async () => {
    dies(on, 'apply', 'before')
    await scene.write()
    on.clear()
    here.pass(25 * 3600_000)
    const other = () => scene.asks.post('/v1/memories', { userId: 'alice', content: 'Something else', extractEntities: false }, ONCE)
    const { status, json } = await other()
    expect(status).toBe(201)
    on.on('apply', graph.refuses)
    await inHaste(late)
    on.clear()
    expect(await scene.asks.get(`/v1/memories/${scene.id}`)).toMatchObject({ status: 404 })
    expect((await other()).json.memory.id).toBe(json.memory.id)
  })

  test('write, before it: nothing is there', async () => {
    dies(on, 'write', 'before')
    await scene.write()
    on.clear()
    await scene.expectGone()
  })

  test('decide, after it: it is as its caller would have been told', async () => {
    dies(on, 'decide', 'after')
    await scene.write()
    on.clear()
    await scene.expectKept()
  })

  test('decide, after it, when the graph refused: it is as its caller would have been told', async () => {
    on.on('apply', graph.refuses)
    dies(on, 'decide', 'after')
    await scene.write()
    on.clear()
    await scene.expectGone()
  })
})

describe('the sweep and the request at once', () => {
  test.each(['lease', 'apply', 'settle', 'decide'] as const)(
    'it publishes before the %s of the request, which is told so',
    async (step) => {
      on.before(step, late)
      const { status, json } = await scene.write()
      expect([status, json.memory?.id, json.receipt?.owed]).toEqual([201, scene.id, []])
      await scene.expectKept()
    },
  )

  test.each(['lease', 'apply', 'settle', 'decide'] as const)(
    'it takes back before the %s of the request, which is told so',
    async (step) => {
      on.on('apply', graph.refuses)
      on.before(step, late)
      const { status, json } = await inHaste(() => scene.write())
      on.clear()
      expect([status, json.detail]).toEqual([503, 'The graph did not take the write in time, so nothing was stored.'])
      await scene.expectGone()
    },
  )

  test('both of them, many times over, are of one mind', async () => {
    const writes = Array.from({ length: 12 }, async (_, n) => {
      if (n % 3 === 2) on.once('apply', graph.refuses)
      const { status } = await scene.asks.post('/v1/memories', {
        userId: 'bob',
        content: `bob ${n}`,
        extractEntities: false,
        onGraphFailure: 'rollback',
      })
      return status === 201 ? [`bob ${n}`] : []
    })
    here.pass(31_000)
    const sweeps = Array.from({ length: 6 }, () => sweep(here.deps))
    const told = (await Promise.all(writes)).flat().sort()
    await Promise.all(sweeps)
    await scene.swept()
    const { items } = (await scene.asks.get('/v1/memories?userId=bob')).json
    expect(items.map((memory: any) => memory.content).sort()).toEqual(told)
    await scene.expectAgreement()
  })
})

describe('somebody else at the same rows', () => {
  test('a request whose write was swept away decides nothing of another that has its id since', async () => {
    const resumed = Promise.withResolvers<void>()
    onTestFinished(() => resumed.resolve())
    let other: Promise<unknown> = Promise.resolve()
    on.before('decide', async () => {
      // The first request stands still here, past its time.
      on.on('apply', graph.refuses)
      await inHaste(late)
      on.clear()
      // What was refused just now is not tried again at once.
      here.pass(10_000)
      const begun = Promise.withResolvers<void>()
      on.before('lease', async () => {
        begun.resolve()
        await resumed.promise
      })
      other = scene.write({ content: 'Another unseen quokka' }, {})
      await begun.promise
    })
    on.on('apply', graph.refuses)
    const { status, json } = await scene.write()
    expect([status, json.detail]).toEqual([503, 'The graph did not take the write in time, so nothing was stored.'])
    expect([await scene.isPending(), await scene.leaks()]).toEqual([true, []])
    resumed.resolve()
    expect(await other).toMatchObject({ status: 201, json: { memory: { id: scene.id, content: 'Another unseen quokka' } } })
    await scene.expectKept('Another unseen quokka')
  })

  test('an id under which the graph still shows what is deleted for good: refused when the graph does not take what has it now', async () => {
    expect((await scene.asks.post('/v1/memories', writing(scene.id, { onGraphFailure: 'queue', waitFor: 'graph' }))).status).toBe(201)
    expect((await scene.asks.del(`/v1/memories/${scene.id}?hard=true`)).status).toBe(200)
    on.on('apply', graph.away)
    expect((await scene.write({ content: 'Another unseen quokka' })).status).toBe(503)
    on.clear()
    expect(await scene.leaks()).toEqual([])
    await scene.swept()
    expect(await scene.leaks()).toEqual([])
    await scene.expectAgreement()
  })

  const lease = (what: string) =>
    here.owner(
      `update twofold.ledger set lease = gen_random_uuid(), leased_until = '2999-01-01' where revision <> shown and id in (${what})`,
      [scene.id],
    )
  const entities = 'select entity_id from twofold.memory_entities where memory_id = $1'

  test.each([
    ['memory', 'select $1::uuid'],
    ['entities', entities],
  ])('a writer of the graph who holds its %s and never comes back: refused in time', async (_, what) => {
    on.before('lease', async () => void (await lease(what)))
    const { status, json } = await inHaste(() => scene.write())
    expect([status, json.detail]).toEqual([503, 'The graph did not take the write in time, so nothing was stored.'])
    await scene.expectGoneAtOnce()
    await here.owner('update twofold.ledger set leased_until = now() where lease is not null')
    await scene.expectGone()
  })

  test('a writer of the graph who has brought it in and notes so when it is refused: it is taken out again', async () => {
    const resumed = Promise.withResolvers<void>()
    onTestFinished(() => resumed.resolve())
    let writer: Promise<unknown> = Promise.resolve()
    on.before('lease', async () => {
      const begun = Promise.withResolvers<void>()
      on.before('settle', async () => {
        begun.resolve()
        await resumed.promise
      })
      writer = project(here.deps, scene.asks.id, { oldest: 500 })
      await begun.promise
    })
    expect((await inHaste(() => scene.write())).status).toBe(503)
    resumed.resolve()
    await writer
    await scene.expectGone()
  })

  test('a writer of the graph who is at it already: the request waits for him, and is told what he did', async () => {
    on.before('lease', async () => void (await project(here.deps, scene.asks.id, { oldest: 500 })))
    expect((await scene.write()).status).toBe(201)
    await scene.expectKept()
  })

  test('a writer of the graph who was stopped and goes on when all is over brings nothing back', async () => {
    let goesOn: () => Promise<unknown> = async () => undefined
    on.once('apply', async (run, batch, timeoutMs) => {
      goesOn = () => here.deps.graph.apply(scene.asks.id, batch, { generations: [1] })
      return graph.slow(run, batch, timeoutMs)
    })
    expect((await inHaste(() => scene.write())).status).toBe(503)
    await scene.swept()
    await goesOn()
    await scene.expectGone()
  })

  test('a session that starts meanwhile owes the memory again, and does not hold it up', async () => {
    on.before('decide', async () => {
      expect((await scene.asks.post('/v1/sessions', { id: 'monday', appName: 'test', userId: 'alice' })).status).toBe(201)
    })
    expect((await scene.write({ sessionId: 'monday' })).status).toBe(201)
    await scene.swept()
    await scene.expectKept()
  })

  test('twins are told that it is running, by key, by id and by idempotency key, and have it when it was refused', async () => {
    const body = writing(scene.id)
    const asked = async () => {
      const { id, key, ...rest } = body
      return Promise.all([
        scene.asks.post('/v1/memories', { ...rest, key }),
        scene.asks.post('/v1/memories', { ...rest, id }),
        scene.asks.post('/v1/memories', body, ONCE),
      ])
    }
    let told: unknown[] = []
    on.before('decide', async () => {
      told = (await asked()).map(({ status, json }) => [status, json.code, /quokka/i.test(json.detail)])
    })
    on.on('apply', graph.refuses)
    expect((await scene.write()).status).toBe(503)
    on.clear()
    expect(told).toEqual([409, 409, 409].map((status) => [status, 'in_progress', false]))
    // At once, before anything is swept, another may have all three.
    const again = await scene.write({ content: 'Another unseen quokka' })
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, null])
    await scene.expectKept('Another unseen quokka')
    const [byKey, byId, byOnce] = await asked()
    expect([byKey?.json.code, byId?.json.code, byOnce?.json.code]).toEqual(['conflict', 'conflict', 'idempotency_mismatch'])
  })

  test('what others mention too stays as it was when it is refused, and what they came to mention meanwhile stays', async () => {
    const other = { userId: 'alice', content: 'seen', entities: [{ type: 'animal', value: 'Quokka' }], extractEntities: false }
    on.on('apply', graph.refuses)
    let id = ''
    on.before('decide', async () => {
      id = (await scene.asks.post('/v1/memories', other)).json.memory.id
    })
    expect((await scene.write()).status).toBe(503)
    on.clear()
    await scene.swept()
    const { nodes } = (await scene.asks.post('/v1/graph/query', { start: { value: 'Quokka' }, hops: 4 })).json
    expect(nodes.map((node: any) => node.value ?? node.id).sort()).toEqual(['Quokka', id].sort())
    await scene.expectAgreement()
  })
})
