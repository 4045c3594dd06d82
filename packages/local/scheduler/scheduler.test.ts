import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../sql/fixture.ts'
import { openScheduler, type Scheduler } from './scheduler.ts'

let database: TestDatabase
const open: Scheduler[] = []
const scheduler = async (options: { leaseMs?: number; log?(message: string): void } = {}) => {
  const made = await openScheduler({ sql: database.sql, log: console.error, ...options })
  open.push(made)
  return made
}

beforeAll(async () => {
  database = await testDatabase()
  await Promise.all([scheduler(), scheduler()])
}, 30_000)
beforeEach(async () => {
  await database.sql('truncate schedules.leases')
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.stop()))
})
afterAll(() => database.close())

test('a schedule runs at once and again and again, each on its own', async () => {
  const runs = { fast: 0, slow: 0 }
  const made = await scheduler()
  made.every('fast', 20, async () => void runs.fast++)
  made.every('slow', 60_000, async () => void runs.slow++)
  await expect.poll(() => runs.fast, { timeout: 20_000 }).toBeGreaterThan(3)
  expect(runs.slow).toBe(1)
})

test('of several processes one runs a schedule at a time', async () => {
  let running = 0
  let most = 0
  const ran = new Set<number>()
  const schedulers = await Promise.all([scheduler(), scheduler(), scheduler()])
  let runs = 0
  for (const [i, each] of schedulers.entries()) {
    each.every('shared', 10, async () => {
      most = Math.max(most, ++running)
      ran.add(i)
      await new Promise((resolve) => setTimeout(resolve, 15))
      running--
      runs++
    })
  }
  await expect.poll(() => runs, { timeout: 20_000 }).toBeGreaterThan(10)
  expect(most).toBe(1)
})

test('a schedule whose holder was killed is taken over when its lease ends', async () => {
  await database.sql(
    `insert into schedules.leases values ('orphan', 'a process that was killed', now() + interval '400 ms', now() - interval '1 ms')`,
  )
  let runs = 0
  ;(await scheduler()).every('orphan', 100, async () => void runs++)
  expect(runs).toBe(0)
  await expect.poll(() => runs, { timeout: 20_000 }).toBeGreaterThan(0)
})

test('a lease is renewed for as long as the run takes', async () => {
  const [first, second] = await Promise.all([scheduler({ leaseMs: 150 }), scheduler({ leaseMs: 150 })])
  const finish = Promise.withResolvers<void>()
  let begun = 0
  const run = async () => {
    begun++
    await finish.promise
  }
  first.every('long', 10, run)
  await expect.poll(() => begun, { timeout: 20_000 }).toBe(1)
  second.every('long', 10, run)
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(begun).toBe(1)
  finish.resolve()
})

test('a run that throws is logged and the next goes on', async () => {
  const logged: string[] = []
  let runs = 0
  const made = await scheduler({ log: (message) => void logged.push(message) })
  made.every('fragile', 10, async () => {
    if (++runs === 1) throw new Error('first run broke')
  })
  await expect.poll(() => runs, { timeout: 20_000 }).toBeGreaterThan(2)
  expect(logged).toEqual([expect.stringContaining('schedule fragile: Error: first run broke')])
})

test('a database that is away is told of once each time, however many schedules meet it, and all go on when it is back', async () => {
  const logged: string[] = []
  const runs = { first: 0, second: 0, third: 0 }
  const met = { first: 0, second: 0, third: 0 }
  let away = false
  const sql: typeof database.sql = async (query, params = []) => {
    if (!away) return database.sql(query, params)
    met[params[0] as keyof typeof met]++
    throw new Error('no connection')
  }
  // A run that could not free its lease holds it to its end.
  const made = await openScheduler({ sql, leaseMs: 100, log: (message) => void logged.push(message) })
  open.push(made)
  for (const name of ['first', 'second', 'third'] as const) made.every(name, 10, async () => void runs[name]++)
  for (const times of [1, 2]) {
    away = true
    Object.assign(met, { first: 0, second: 0, third: 0 })
    await expect.poll(() => Math.min(...Object.values(met)), { timeout: 20_000 }).toBeGreaterThan(2)
    expect(logged).toEqual(Array(times).fill('schedules cannot reach their leases: no connection'))
    away = false
    Object.assign(runs, { first: 0, second: 0, third: 0 })
    await expect.poll(() => Math.min(...Object.values(runs)), { timeout: 20_000 }).toBeGreaterThan(1)
  }
})

test('a running one is told when all is to stop', async () => {
  const made = await scheduler()
  const entered = Promise.withResolvers<void>()
  let told = false
  made.every('long', 60_000, async (stop) => {
    entered.resolve()
    await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()))
    told = true
  })
  await entered.promise
  await made.stop()
  expect(told).toBe(true)
})

test('stopping waits for the running one and begins no other', async () => {
  const made = await scheduler()
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const steps: string[] = []
  made.every('last', 1, async () => {
    entered.resolve()
    await leave.promise
    steps.push('finished')
  })
  await entered.promise
  const stopped = made.stop().then(() => void steps.push('stopped'))
  leave.resolve()
  await stopped
  expect(steps).toEqual(['finished', 'stopped'])
})
