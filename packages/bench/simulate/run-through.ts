import { random } from '../random.ts'
import { batchMs, graphMs, need, SETUP } from './demand.ts'
import type { Figures } from './figures.ts'
import { LIMITS } from './published.ts'

export interface Scenario {
  /** Requests a second, and which share of them writes. */
  rate: number
  writes: number
  /** In its middle third there are so many times more. */
  peak: number
  seconds: number
  /** Databases with a graph of their own among which the tenants are spread. */
  places: number
  /** Batches of graph writes at once. */
  concurrency: number
  /** Invocations at once that the account allows. */
  account: number
  seed: number
}

export interface Second {
  rate: number
  /** Environments that answer requests, and requests that found none. */
  environments: number
  throttled: number
  /** Graph writes that wait in the queue, and batches that are worked on. */
  waiting: number
  batches: number
  /** From the answer until the graph shows it, of what became visible in this second; null: nothing did. */
  lagMs: number | null
}

export interface Course {
  seconds: Second[]
  /** Of all writes that became visible. */
  lag: { p50: number; p95: number; most: number }
  throttled: number
}

const TICK_MS = 50

/** Goes through the load second by second: who waits, for how long, and what runs at once. The same for the same seed. */
export function runThrough(figures: Figures, scenario: Scenario): Course {
  const queue = queueOf(figures, scenario)
  const api = apiOf(figures, scenario)
  const seconds: Second[] = []
  for (let s = 0; s < scenario.seconds; s++) {
    const rate = rateAt(scenario, s)
    const { environments, throttled } = api(rate)
    const passed = rate - throttled
    const { waiting, batches, lagMs } = queue.second(s * 1_000, passed * scenario.writes)
    seconds.push({ rate, environments, throttled, waiting, batches, lagMs })
  }
  return { seconds, lag: queue.lag(), throttled: seconds.reduce((sum, each) => sum + each.throttled, 0) }
}

const rateAt = ({ rate, peak, seconds }: Scenario, s: number): number => (s >= seconds / 3 && s < (2 * seconds) / 3 ? rate * peak : rate)

/** Environments that are there follow the load no faster than Lambda makes them, and never beyond the account's. */
function apiOf(figures: Figures, { writes, account, concurrency, rate: usual }: Scenario) {
  const wanted = (rate: number) => need(figures, { rate, writes }, LIMITS.lambdaPerEnvironment.value).environments
  let there = Math.min(wanted(usual), account - concurrency)
  return (rate: number) => {
    const needed = wanted(rate)
    // Writing and searching are functions of their own.
    there = Math.min(needed, there + 2 * LIMITS.lambdaScaling.value, account - concurrency)
    return { environments: there, throttled: rate * Math.max(0, 1 - there / needed) }
  }
}

interface Some {
  at: number
  count: number
}

/** One of Lambda's: gathers a batch until that is full or its first message has waited for the window, then waits for the function. */
interface Poller {
  gathered: Some[]
  count: number
  busyUntil: number
}

/** The queue before the graph, with graphs that do one transaction after the other. */
function queueOf(figures: Figures, { places, concurrency, seed }: Scenario) {
  const next = random(seed)
  const waiting: Some[] = []
  const free = Array.from({ length: places }, () => 0)
  const lags: { ms: number; count: number }[] = []
  const pollers: Poller[] = []
  let queued = 0
  const more = (pollersMore: number) => {
    for (let i = 0; i < pollersMore && pollers.length < concurrency; i++) pollers.push({ gathered: [], count: 0, busyUntil: 0 })
  }
  more(LIMITS.sqsPollersFirst.value)

  /** Takes as many of those that wait longest. */
  function gather(poller: Poller, most: number): void {
    for (let left = most; left > 0 && waiting[0]; ) {
      const count = Math.min(waiting[0].count, left)
      poller.gathered.push({ at: waiting[0].at, count })
      poller.count += count
      queued -= count
      left -= count
      waiting[0].count -= count
      if (waiting[0].count === 0) waiting.shift()
    }
  }

  function invoke(poller: Poller, now: number): void {
    const place = free.indexOf(Math.min(...free))
    const begins = Math.max(now, free[place] as number)
    free[place] = begins + graphMs(figures, poller.count * figures.rowsPerMemory)
    poller.busyUntil = begins + batchMs(figures, poller.count)
    for (const { at, count } of poller.gathered) lags.push({ ms: poller.busyUntil - at, count })
    Object.assign(poller, { gathered: [], count: 0 })
  }

  return {
    second(from: number, writes: number) {
      const first = lags.length
      for (let now = from; now < from + 1_000; now += TICK_MS) {
        const count = arrivals((writes * TICK_MS) / 1_000, next)
        if (count > 0) waiting.push({ at: now, count })
        queued += count
        const idle = pollers.filter(({ busyUntil }) => busyUntil <= now)
        for (const [i, poller] of idle.entries()) {
          gather(poller, Math.min(SETUP.batch - poller.count, Math.ceil(queued / (idle.length - i))))
          const [oldest] = poller.gathered
          if (oldest && (poller.count === SETUP.batch || now - oldest.at >= SETUP.windowMs)) invoke(poller, now)
        }
      }
      if (queued > 0) more(LIMITS.sqsPollersMore.value)
      const seen = lags.slice(first)
      return {
        waiting: queued + pollers.reduce((sum, { count }) => sum + count, 0),
        batches: pollers.filter(({ busyUntil }) => busyUntil > from + 1_000 - TICK_MS).length,
        lagMs: seen.length === 0 ? null : Math.max(...seen.map(({ ms }) => ms)),
      }
    },
    lag() {
      const sorted = lags.toSorted((a, b) => a.ms - b.ms)
      const all = sorted.reduce((sum, { count }) => sum + count, 0)
      const at = (share: number) => {
        let below = 0
        for (const { ms, count } of sorted) {
          below += count
          if (below >= share * all) return ms
        }
        return 0
      }
      return { p50: at(0.5), p95: at(0.95), most: sorted.at(-1)?.ms ?? 0 }
    },
  }
}

/** How many come in a time that has `mean` of them on average: Poisson's for few, a normal's for many. */
function arrivals(mean: number, next: () => number): number {
  if (mean > 30) {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal))
  }
  let [count, left] = [0, next()]
  for (const least = Math.exp(-mean); left > least; left *= next()) count++
  return count
}
