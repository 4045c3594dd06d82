import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type World, world } from '../fixture.ts'
import { leaseMs, scheduled } from './scheduled.ts'

let here: World
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())

let name = 'round-0'
beforeEach(() => {
  name = `round-${Number(name.slice(6)) + 1}`
})

const declared = { every: 'RELAY_INTERVAL_MS', longestMs: 20_000 } as const
const noted = async () =>
  (await here.owner('select holder, failure, begun_at, ended_at, failed_at from twofold.schedules where name = $1', [name]))[0]
const gate = () => Promise.withResolvers<void>()

test('a round that is under way is not begun again, and the next one is once it has ended', async () => {
  const [entered, leave] = [gate(), gate()]
  let rounds = 0
  const run = scheduled({
    needs: [],
    ...declared,
    name,
    async work() {
      rounds++
      entered.resolve()
      await leave.promise
      return { rounds }
    },
  })
  const first = run(here.deps)()
  await entered.promise
  // The cloud may start it twice, in other processes.
  expect(await Promise.all([run(here.deps)(), run(here.deps)()])).toEqual([{ skipped: true }, { skipped: true }])
  leave.resolve()
  expect(await first).toEqual({ rounds: 1 })
  expect(await run(here.deps)()).toEqual({ rounds: 2 })
})

test('of many that are started at once exactly one does the round', async () => {
  const leave = gate()
  const run = scheduled({ needs: [], ...declared, name, work: () => leave.promise.then(() => 'done') })
  const started = Array.from({ length: 8 }, () => run(here.deps)())
  const skipped = new Promise<void>((resolve) => {
    let n = 0
    for (const one of started) one.then(() => ++n === 7 && resolve())
  })
  await skipped
  leave.resolve()
  expect((await Promise.all(started)).filter((one) => one === 'done')).toHaveLength(1)
})

test('two schedules do not wait for each other', async () => {
  const leave = gate()
  const long = scheduled({ needs: [], ...declared, name: `${name}-long`, work: () => leave.promise })(here.deps)()
  expect(await scheduled({ needs: [], ...declared, name, work: async () => 'done' })(here.deps)()).toBe('done')
  leave.resolve()
  await long
})

test('a killed holder costs its bounded time and no more', async () => {
  const begun = here.deps.now().toISOString()
  const until = new Date(Date.parse(begun) + leaseMs(declared)).toISOString()
  await here.owner(`insert into twofold.schedules (name, holder, held_until, begun_at) values ($1, gen_random_uuid(), $2, $3)`, [
    name,
    until,
    begun,
  ])
  const run = scheduled({ needs: [], ...declared, name, work: async () => 'done' })
  expect(await run(here.deps)()).toEqual({ skipped: true })
  here.pass(leaseMs(declared))
  expect(await run(here.deps)()).toBe('done')
})

test('what is due once a day is begun again when its process was killed, and not once it has come to its end', async () => {
  const daily = scheduled({ needs: [], ...declared, every: 'NIGHTLY_HOUR', name, work: async () => 'done' })
  const begun = here.deps.now().toISOString()
  await here.owner(`insert into twofold.schedules (name, holder, held_until, begun_at) values ($1, gen_random_uuid(), $2, $2)`, [
    name,
    begun,
  ])
  expect(await daily(here.deps)()).toBe('done')
  expect(await daily(here.deps)()).toEqual({ skipped: true })
})

test('whoever lost his lease does not free that of the next', async () => {
  const [entered, leave] = [gate(), gate()]
  let rounds = 0
  const run = scheduled({
    needs: [],
    ...declared,
    name,
    async work() {
      if (++rounds > 1) return leave.promise
      entered.resolve()
      return leave.promise
    },
  })
  const stalled = run(here.deps)()
  await entered.promise
  here.pass(leaseMs(declared))
  const next = run(here.deps)()
  await expect.poll(() => rounds).toBe(2)
  const held = (await noted())?.holder
  leave.resolve()
  await Promise.all([stalled, next])
  expect(held).not.toBeNull()
  expect((await noted())?.holder).toBeNull()
})

test('a round knows when its time is over, and is told', async () => {
  const run = scheduled({
    needs: [],
    ...declared,
    name,
    longestMs: 5,
    work: async ({ deps, until, signal }) => {
      expect(until.getTime() - deps.now().getTime()).toBeLessThanOrEqual(5)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return signal.reason.name
    },
  })
  expect(await run(here.deps)()).toBe('TimeoutError')
})

test('a round whose process is to end breaks off, which is no failure, and frees the schedule', async () => {
  const stop = new AbortController()
  const run = scheduled({
    needs: [],
    ...declared,
    name,
    async work({ signal }) {
      stop.abort()
      signal.throwIfAborted()
    },
  })
  expect(await run(here.deps)(stop.signal)).toEqual({ skipped: true })
  expect(await noted()).toMatchObject({ holder: null, failure: null, failed_at: null })
})

test('a round that throws is logged and noted, frees the schedule, and throws', async () => {
  const logged: unknown[] = []
  const deps = { ...here.deps, log: { ...here.deps.log, error: (event: string, fields: unknown) => void logged.push([event, fields]) } }
  const error = new TypeError('what it held')
  let broken = true
  const run = scheduled({
    needs: [],
    ...declared,
    name,
    work: async () => {
      if (broken) throw error
    },
  })
  await expect(run(deps)()).rejects.toBe(error)
  expect(logged).toEqual([['schedule.failed', { schedule: name, error }]])
  const failed = await noted()
  expect(failed).toMatchObject({ holder: null, failure: 'TypeError', failed_at: failed?.ended_at })
  broken = false
  await run(deps)()
  expect(await noted()).toMatchObject({ failure: null, failed_at: failed?.failed_at })
})

test('what comes once a day is done once after its hour, however often it is started', async () => {
  const nights: string[] = []
  let now = new Date('2100-01-01T02:59:59Z')
  const deps = { ...here.deps, now: () => now, settings: { ...here.deps.settings, nightlyHour: 3 } }
  const run = scheduled({
    needs: [],
    name,
    every: 'NIGHTLY_HOUR',
    longestMs: 1000,
    work: async ({ deps }) => void nights.push(deps.now().toISOString()),
  })
  for (const time of ['01T02:59:59', '01T03:00:00', '01T03:00:01', '01T23:00:00', '02T02:59:59', '02T08:30:00', '03T03:00:00']) {
    now = new Date(`2100-01-${time}Z`)
    await run(deps)()
  }
  expect(nights.map((night) => night.slice(8, 19))).toEqual(['01T02:59:59', '01T03:00:00', '02T08:30:00', '03T03:00:00'])
})

test('what compares the stores by itself is left out where that is switched off', async () => {
  const run = scheduled({ needs: [], ...declared, name, autoSync: true, work: async () => 'done' })
  expect(await run({ ...here.deps, settings: { ...here.deps.settings, autoSync: false } })()).toEqual({ skipped: true })
  expect(await noted()).toBeUndefined()
  expect(await run(here.deps)()).toBe('done')
})
