import { table } from '../tables.ts'
import { dollars, need } from './demand.ts'
import type { Figures } from './figures.ts'
import { LIMITS } from './published.ts'
import type { Course, Scenario, Second } from './run-through.ts'

const WIDTH = 60
const BARS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
export const MONTH_S = 730 * 3_600

const whole = (n: number) => Math.round(n).toLocaleString('en')
export const money = (n: number) => (n >= 100 ? `$${whole(n)}` : `$${n.toFixed(2)}`)

/** One line over the whole time: the highest of each part of it, and the highest of all. */
function line(name: string, values: readonly number[], unit: string): string {
  const each = values.length / WIDTH
  const highest = Array.from({ length: WIDTH }, (_, i) =>
    Math.max(...values.slice(Math.floor(i * each), Math.max(Math.floor(i * each) + 1, Math.floor((i + 1) * each)))),
  )
  const most = Math.max(...highest)
  const bars = highest.map((value) => BARS[most === 0 ? 0 : Math.ceil((value / most) * (BARS.length - 1))]).join('')
  return `${name.padEnd(26)}${bars} ${whole(most)}${unit}`
}

/** The course of a load as people look at it. */
export function draw(figures: Figures, scenario: Scenario, { seconds, lag, throttled }: Course): string {
  const of = (what: (second: Second) => number) => seconds.map(what)
  const lines = [
    line(
      'requests a second',
      of(({ rate }) => rate),
      '',
    ),
    line(
      'environments',
      of(({ environments }) => environments),
      '',
    ),
    line(
      'throttled a second',
      of((second) => second.throttled),
      '',
    ),
    line(
      'waiting for the graph',
      of(({ waiting }) => waiting),
      '',
    ),
    line(
      'batches at once',
      of(({ batches }) => batches),
      '',
    ),
    line(
      'until the graph shows it',
      of(({ lagMs }) => lagMs ?? 0),
      ' ms',
    ),
  ]
  return `${lines.join('\n')}

Visible in the graph after ${whole(lag.p50)} ms (p50), ${whole(lag.p95)} ms (p95), ${whole(lag.most)} ms at most; ${whole(throttled)} requests throttled.
${ends(figures, scenario).join('\n')}

${table(['a month of the usual load', 'dollars'], costs(figures, scenario))}
`
}

/** Dollars of a month of the usual load, by part, and of a million of its requests. */
export function costs(figures: Figures, load: Pick<Scenario, 'rate' | 'writes'>): [string, string][] {
  const parts = Object.entries(dollars(figures, load, LIMITS.lambdaPerEnvironment.value))
  const sum = parts.reduce((all, [, each]) => all + each, 0)
  return [
    ...parts.map(([part, each]): [string, string] => [part, money(each * MONTH_S)]),
    ['all of it', money(sum * MONTH_S)],
    ['a million requests', money((sum / load.rate) * 1e6)],
  ]
}

/** What is beyond what a part gives at the height of the load, as sentences. */
export function ends(
  figures: Figures,
  { rate, writes, peak, places, account }: Pick<Scenario, 'rate' | 'writes' | 'peak' | 'places' | 'account'>,
): string[] {
  const highest = need(figures, { rate: rate * peak, writes }, LIMITS.lambdaPerEnvironment.value)
  const beyond = (part: string, needed: number, given: number, then: string) =>
    needed <= given ? [] : [`${part}: ${whole(needed)} needed, ${whole(given)} given; ${then}`]
  return [
    ...beyond('HTTP API, requests a second', rate * peak, LIMITS.apiRate.value, 'have the quota raised, or serve from several regions'),
    ...beyond('Lambda, at once', highest.environments, account, 'have the quota raised (--account)'),
    ...beyond('Postgres, compute units', highest.units, places * LIMITS.neonCu.value, 'spread the tenants over more places (--places)'),
    ...beyond('the graph, writers that are busy', highest.graphBusy, places, 'spread the tenants over more places (--places)'),
    ...beyond('Redis, commands a second', highest.redis, LIMITS.redisRate.value, 'take a larger plan, or do without a cache'),
  ]
}
