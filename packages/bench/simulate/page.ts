import { fileURLToPath } from 'node:url'
import { ms, table } from '../tables.ts'
import { ASKED, batchMs, dollars, duration, type Kind, need, postgresMs, SETUP } from './demand.ts'
import { costs, ends, money } from './draw.ts'
import type { Figures } from './figures.ts'
import { LIMITS, PRICES, type Published } from './published.ts'
import { runThrough } from './run-through.ts'

export const PAGE = fileURLToPath(new URL('../../../docs/scale.md', import.meta.url))

/** Loads that the page goes through: requests a second, how the account is set up for them, and over how many places tenants are spread. */
const LOADS = [
  { rate: 1, places: 1, account: LIMITS.lambdaConcurrency.value, concurrency: SETUP.concurrency },
  { rate: 1_000, places: 1, account: LIMITS.lambdaConcurrency.value, concurrency: SETUP.concurrency },
  { rate: 100_000, places: 80, account: 20_000, concurrency: 400 },
] as const
/** One of ten writes: an agent looks for more than it stores. */
const WRITES = 0.1
const SECONDS = 60

const whole = (n: number) => (n < 10 ? String(Number(n.toFixed(2))) : Math.round(n).toLocaleString('en'))
const KINDS: readonly Kind[] = ['write', 'search']

const TABLES: Record<string, (figures: Figures) => string> = {
  requests: (figures) =>
    table(
      ['', ...KINDS],
      [
        ['invocations', '1, and a share of a batch of graph writes', '1'],
        ['milliseconds of a function', ...KINDS.map((kind) => ms(duration(figures, kind)))],
        [`GB-milliseconds, of ${SETUP.memoryGb * 1024} MB`, ...KINDS.map((kind) => ms(duration(figures, kind) * SETUP.memoryGb))],
        ['requests to Postgres', ...KINDS.map((kind) => ASKED[kind].postgres)],
        ['milliseconds of Postgres', ...KINDS.map((kind) => ms(postgresMs(figures, kind)))],
        ['commands to Redis', ...KINDS.map((kind) => ASKED[kind].redis)],
        ['messages to SQS', ...KINDS.map((kind) => ASKED[kind].sqs)],
        ['into the graph', `${figures.rowsPerMemory} rows, ${ms(batchMs(figures, SETUP.batch) / SETUP.batch)} ms of a full batch`, ''],
        ['dollars for a million', ...KINDS.map((kind) => money(million(figures, kind)))],
      ],
    ),
  loads: (figures) => {
    const all = LOADS.map((load) => {
      const course = runThrough(figures, { ...load, writes: WRITES, peak: 1, seconds: SECONDS, seed: 1 })
      return { load, course, needs: need(figures, { rate: load.rate, writes: WRITES }, LIMITS.lambdaPerEnvironment.value) }
    })
    return table(
      ['requests a second', ...all.map(({ load }) => load.rate.toLocaleString('en'))],
      [
        ['places that tenants are spread over', ...all.map(({ load }) => load.places)],
        ['execution environments', ...all.map(({ needs }) => whole(needs.environments))],
        ['compute units of Postgres, of all places', ...all.map(({ needs }) => whole(needs.units))],
        ['graphs that are busy with writes', ...all.map(({ needs }) => whole(needs.graphBusy))],
        ['commands to Redis a second', ...all.map(({ needs }) => whole(needs.redis))],
        ['requests to SQS a second', ...all.map(({ needs }) => whole(needs.sqs))],
        ['until the graph shows a write, p95', ...all.map(({ course }) => `${(course.lag.p95 / 1_000).toFixed(1)} s`)],
        ...costs(figures, { rate: 1, writes: WRITES }).map(([part], i) => [
          part === 'a million requests' ? part : `${part}, a month`,
          ...all.map(({ load }) => costs(figures, { rate: load.rate, writes: WRITES })[i]?.[1] as string),
        ]),
      ],
    )
  },
  ends: (figures) =>
    LOADS.map(({ rate }) => {
      const found = ends(figures, { rate, writes: WRITES, peak: 1, places: 1, account: LIMITS.lambdaConcurrency.value })
      return `- **${rate.toLocaleString('en')} a second** on one place and an account as it is given: ${found.length === 0 ? 'within everything.' : found.join('. ')}`
    }).join('\n'),
  limits: () => published('limit', LIMITS, (value) => value.toLocaleString('en')),
  prices: () => published('price', PRICES, (value) => `$${value < 0.001 ? `${Number((value * 1e6).toPrecision(6))} a million` : value}`),
}

const published = (name: string, all: Record<string, Published>, shown: (value: number) => string): string =>
  table(
    [name, '', 'said by'],
    Object.values(all).map(({ value, what, source }) => [shown(value), what, source]),
  )

/** A million requests of one kind, as a part of a load that is large enough to fill batches. */
function million(figures: Figures, kind: Kind): number {
  const load = { rate: 1_000, writes: kind === 'write' ? 1 : 0 }
  return (Object.values(dollars(figures, load, LIMITS.lambdaPerEnvironment.value)).reduce((sum, each) => sum + each, 0) / load.rate) * 1e6
}

const MARK = (name: string) => new RegExp(`(<!-- ${name} -->)[\\s\\S]*?(<!-- /${name} -->)`)

/** The page with its tables as they are now. */
export function written(figures: Figures, page: string): string {
  return Object.entries(TABLES).reduce((text, [name, make]) => {
    if (!MARK(name).test(text)) throw new Error(`docs/scale.md has no place for the table ${name}`)
    return text.replace(MARK(name), (_, before, after) => `${before}\n\n${make(figures)}\n\n${after}`)
  }, page)
}
