import { type Answer, type World, world } from '@twofold/functions/fixture.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import { memoryStore } from '@twofold/local/redis/memory.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Scene } from './rollback/scene.ts'
import { database, graph, type Stage, type Step, stage } from './rollback/stage.ts'

/**
 * A write that the graph decides (`onGraphFailure: "rollback"`), with every store failing at every call of its way:
 * what its caller is told is true, nobody reads it before both stores have it, and what is refused leaves no trace.
 */

let here: World
let on: Stage
let scene: Scene
let redis: Awaited<ReturnType<typeof listen>>
beforeAll(async () => {
  const store = memoryStore({ maxBytes: 10_000_000 })
  redis = await listen({ redis: redisEndpoint({ store, token: 'test' }) }, { log: console.error })
  here = await world({ UPSTASH_REDIS_REST_URL: `${redis.url}/redis`, UPSTASH_REDIS_REST_TOKEN: 'test' })
  on = stage(here.deps)
})
beforeEach(async () => {
  here.deps.settings.graphDeadlineMs = PATIENT
  scene = await new Scene(here, on).open()
})
afterAll(async () => {
  await here.close()
  await redis.close()
})

/** What a caller can be told: that it is done, that nothing is there, or how to find out. */
type Told = 'kept' | 'refused' | 'undecided' | 'unsure' | 'not reached' | 'busy' | 'slow'
const TOLD: Record<Told, [status: number, code: string | undefined, detail: RegExp, retryAfter: string | null]> = {
  kept: [201, undefined, /^$/, null],
  refused: [503, 'unavailable', /^The graph did not take the write in time, so nothing was stored\.$/, '1'],
  undecided: [503, 'unavailable', /will be kept or taken back within a minute; the same request .* tells which\.$/, '5'],
  unsure: [503, 'unavailable', /may have been done\. .* tells\.$/, '1'],
  'not reached': [503, 'unavailable', /nothing was changed by this request\.$/, '1'],
  busy: [409, 'in_progress', /has not finished\.$/, null],
  slow: [504, 'timeout', /nothing was changed by this request\.$/, null],
}
const expectTold = ({ status, json, headers }: Answer, told: Told) => {
  const [code, name, detail, retryAfter] = TOLD[told]
  expect([status, json.code, headers.get('retry-after')]).toEqual([code, name, retryAfter])
  expect(json.detail ?? '').toMatch(detail)
  if (told === 'kept')
    expect([json.receipt.vectorWriteSuccess, json.receipt.graphWriteSuccess, json.receipt.owed]).toEqual([true, true, []])
}

const PATIENT = 10_000
const soon = () => {
  here.deps.settings.graphDeadlineMs = 150
}
const both = (one: () => void, other: () => void) => () => {
  one()
  other()
}
const at = (step: Step, fault: Parameters<Stage['on']>[1]) => () => on.on(step, fault)
const onceAt = (step: Step, fault: Parameters<Stage['on']>[1]) => () => on.once(step, fault)
const refuses = at('apply', graph.refuses)

/** What fails, what the caller is told, and what there is in the end, when the stores are well again. */
const FAULTS: [name: string, fails: () => void, told: Told, end: 'kept' | 'gone'][] = [
  ['nothing', () => undefined, 'kept', 'kept'],
  ['the graph refuses the row', refuses, 'refused', 'gone'],
  ['the graph refuses an entity of it', at('apply', graph.refusesEntities), 'refused', 'gone'],
  ['the graph cannot be reached', at('apply', graph.away), 'refused', 'gone'],
  ['the graph takes it and cannot say so', at('apply', graph.answerLost), 'refused', 'gone'],
  ['the graph is too slow', both(soon, at('apply', graph.slow)), 'refused', 'gone'],
  ['the database is away at the write', at('write', database.away), 'not reached', 'gone'],
  ['… busy at the write', at('write', database.busy), 'busy', 'gone'],
  ['… slow at the write', at('write', database.slow), 'slow', 'gone'],
  ['the answer to the write is lost', at('write', database.answerLost), 'unsure', 'kept'],
  ['the answer to the write is lost, and it is sent again', onceAt('write', database.sentAgain), 'kept', 'kept'],
  ['the database is away at the lease', at('lease', database.away), 'refused', 'gone'],
  ['… busy at the lease', at('lease', database.busy), 'refused', 'gone'],
  ['the answer to the lease is lost', at('lease', database.answerLost), 'refused', 'gone'],
  ['the answer to the lease is lost, and it is sent again', at('lease', database.sentAgain), 'kept', 'kept'],
  ['the database is away when the graph has it', at('settle', database.away), 'refused', 'gone'],
  ['… slow when the graph has it', at('settle', database.slow), 'refused', 'gone'],
  ['it is noted that the graph has it, and the answer to that is lost', at('settle', database.answerLost), 'kept', 'kept'],
  ['… and it is sent again', at('settle', database.sentAgain), 'kept', 'kept'],
  ['the database is away when it is published', at('decide', database.away), 'undecided', 'kept'],
  ['… busy when it is published', at('decide', database.busy), 'undecided', 'kept'],
  ['… slow when it is published', at('decide', database.slow), 'undecided', 'kept'],
  ['the answer to publishing it is lost', at('decide', database.answerLost), 'undecided', 'kept'],
  ['… and it is sent again', at('decide', database.sentAgain), 'kept', 'kept'],
  ['the database is away when it is taken back', both(refuses, at('decide', database.away)), 'undecided', 'kept'],
  ['… busy when it is taken back', both(refuses, at('decide', database.busy)), 'undecided', 'kept'],
  ['the answer to taking it back is lost', both(refuses, at('decide', database.answerLost)), 'undecided', 'gone'],
  ['… and it is sent again', both(refuses, at('decide', database.sentAgain)), 'refused', 'gone'],
  ['the database goes away after the write', both(at('lease', database.away), at('decide', database.away)), 'undecided', 'kept'],
]

test.each(FAULTS)('%s', async (_, fails, told, end) => {
  fails()
  let between: string[] = []
  on.before('decide', async () => {
    here.deps.settings.graphDeadlineMs = PATIENT
    between = await scene.leaks()
  })
  expectTold(await scene.write(), told)
  on.clear()
  expect(between).toEqual([])
  if (['undecided', 'unsure'].includes(told)) await expectDecided()
  if (told === 'refused') expect(await scene.isCached()).toBe(false)
  if (end === 'gone') await scene.expectGone()
  else await scene.expectKept()
  const again = await scene.write()
  expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, end === 'kept' ? 'true' : null])
})

/** What nobody has decided yet is taken and nobody's to read, until the sweep decides. */
async function expectDecided(): Promise<void> {
  if (await scene.isPending()) {
    expect(await scene.leaks()).toEqual([])
    const { status, json } = await scene.write()
    expect([status, json.code]).toEqual([409, 'in_progress'])
    await scene.swept()
  }
  expect(await scene.isPending()).toBe(false)
}
