import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { batchMs, graphMs, need, SETUP } from './demand.ts'
import { ends } from './draw.ts'
import { type Figures, readFigures } from './figures.ts'
import { PAGE, written } from './page.ts'
import { LIMITS } from './published.ts'
import { runThrough, type Scenario } from './run-through.ts'

const figures: Figures = {
  write: { total: 20, db: 10 },
  search: { total: 30, db: 20 },
  small: { total: 2, db: 1 },
  embedWrite: 50,
  embedQuery: 25,
  graphBatches: [
    { rows: 50, ms: 10 },
    { rows: 150, ms: 30 },
    { rows: 200, ms: 35 },
  ],
  settleRow: 0.1,
  rowsPerMemory: 3,
}
const usual: Scenario = { rate: 100, writes: 0.1, peak: 1, seconds: 60, places: 1, concurrency: 10, account: 1_000, seed: 1 }
const each = LIMITS.lambdaPerEnvironment.value

test('docs/scale.md says what the committed results come to; npm run simulate -- --write makes it so', async () => {
  const page = await readFile(PAGE, 'utf8')
  expect(page).toBe(written(await readFigures(), page))
})

test('what a transaction takes lies between the sizes that were measured, and beyond them grows as the rows do', () => {
  expect([0, 25, 50, 100, 150, 175, 400].map((rows) => graphMs(figures, rows))).toEqual([0.2, 5, 10, 20, 30, 32.5, 70])
  expect(batchMs(figures, 50)).toBe(30 + 15)
})

test('short requests need as many environments as each may be asked in a second, long ones as many as run at once', () => {
  const short = { ...figures, embedQuery: 0, search: { total: 1, db: 1 }, small: { total: 0, db: 0 } }
  expect(need(short, { rate: 1_000, writes: 0 }, each).environments).toBe(100)
  expect(need({ ...figures, embedQuery: 225 }, { rate: 1_000, writes: 0 }, each).environments).toBeCloseTo(256, 5)
})

test('a load within everything is throttled nowhere, and every write is visible about a window and a batch later', () => {
  const { lag, throttled, seconds } = runThrough(figures, usual)
  expect(throttled).toBe(0)
  expect(lag.p95).toBeGreaterThan(SETUP.windowMs)
  expect(lag.most).toBeLessThan(2 * SETUP.windowMs)
  expect(Math.max(...seconds.map(({ waiting }) => waiting))).toBeLessThan(50)
})

test('the same seed has the same course, another seed another', () => {
  expect(runThrough(figures, usual)).toEqual(runThrough(figures, usual))
  expect(runThrough(figures, { ...usual, seed: 2 })).not.toEqual(runThrough(figures, usual))
})

test('beyond what one graph takes the queue grows, and with places it does not', () => {
  // 50 memories are 150 rows and 30 ms: one graph takes 1,666 of them a second.
  const heavy = { ...usual, rate: 2_500, writes: 1, concurrency: 100, account: 10_000 }
  const [one, two] = [1, 2].map((places) => runThrough(figures, { ...heavy, places }))
  expect(one?.lag.most).toBeGreaterThan(10_000)
  expect(two?.lag.most).toBeLessThan(3_000)
})

test('a peak finds only the environments that Lambda has made by then', () => {
  const { seconds } = runThrough(figures, { ...usual, rate: 1_000, peak: 30, account: 10_000 })
  const [before, peak, later] = [19, 20, 39].map((s) => seconds[s])
  expect([before?.throttled, later?.throttled]).toEqual([0, 0])
  expect(peak?.throttled).toBeGreaterThan(0)
  expect(peak?.environments).toBeCloseTo((before?.environments ?? 0) + 2 * LIMITS.lambdaScaling.value, 5)
})

test('what is beyond a limit is named with what to do about it', () => {
  expect(ends(figures, usual)).toEqual([])
  const found = ends(figures, { ...usual, rate: 100_000 })
  for (const part of ['HTTP API', 'Lambda', 'Postgres', 'the graph', 'Redis'])
    expect(found).toContainEqual(expect.stringMatching(new RegExp(`^${part}.* needed, .* given; `)))
})
