import { atMost, type Claim, verdicts } from '../claims.ts'
import type { Latency } from '../measure.ts'
import type { Hardware } from '../on-servers.ts'
import { ms, table, times } from '../tables.ts'
import type { Crowd } from './crowd.ts'
import type { Grown } from './growth.ts'
import { type Aim, MOST_99 } from './mission.ts'

export interface Measured {
  date: string
  machine: Hardware & { postgres: string; load: [number, number] }
  aims: Aim[]
  /** By turns: few sessions several times, as many events in all, then many. */
  crowds: Record<'few' | 'many', Crowd[]>
  grown: Grown[]
}

const millis = (n: number) => `${ms(n)} ms`
const three = ({ p50, p95, p99 }: Latency) => [p50, p95, p99].map(ms).join(' / ')
const each = (crowds: readonly Crowd[]): number =>
  crowds.map(({ msPerEvent }) => msPerEvent).toSorted((a, b) => a - b)[Math.floor(crowds.length / 2)] as number
const sum = (crowds: readonly Crowd[], of: 'lost' | 'disordered'): number => crowds.reduce((all, crowd) => all + crowd[of], 0)
const slower = ({ took: { small, large } }: Grown): number => large.p50 / small.p50

/** What must hold, beside what was measured. */
export function claims({ aims, crowds: { few, many }, grown }: Measured): Claim[] {
  const all = [...few, ...many]
  return [
    ...aims.flatMap(({ what, most, most99, took }) => [
      atMost(`${what}, p50`, most, took.p50, millis),
      ...(most99 === null ? [] : [atMost(`${what}, p99`, most99, took.p99, millis)]),
    ]),
    atMost('1,000 sessions at once: an event, of one among 50', 1.5, each(many) / each(few), times),
    atMost('of all of these: events lost', 0, sum(all, 'lost'), String),
    atMost('of all of these: sessions out of order', 0, sum(all, 'disordered'), String),
    ...grown.map((one) => atMost(`${one.what}: of ${one.large}, to ${one.small}`, 3, slower(one), times)),
  ]
}

/** The figures as Markdown: for the screen, and for the page that is kept. */
export function report(measured: Measured): string {
  const { date, machine, aims, crowds, grown } = measured
  return `# What it costs to keep what agents do

${date}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, load average ${machine.load[0]} before and ${machine.load[1]} after, Node ${machine.node},
PostgreSQL ${machine.postgres} with every commit on disk, and the service in a process of its own, asked over HTTP by a third on the same cores.
One run of \`npm run bench -- kept --write\`. The first part is held against what is asked of it in milliseconds, whatever the machine; the others are ratios.

${verdicts(claims(measured))}

## One request after another

${table(
  ['request', 'p50 / p95 / p99 ms'],
  aims.map(({ what, took }) => [what, three(took)]),
)}

p99 of what belongs to a session is asked to be at most ${MOST_99.session} ms, of memories ${MOST_99.memory}.

## Many sessions at once

Each appends ten events, one after the other; the median of the turns.

${table(
  ['sessions', 'turns', 'ms an event', 'lost', 'out of order'],
  Object.values(crowds).map((turns) => [
    turns[0]?.sessions ?? 0,
    turns.length,
    each(turns).toFixed(2),
    sum(turns, 'lost'),
    sum(turns, 'disordered'),
  ]),
)}

## Small and large

${table(
  ['request', 'small', 'p50 / p95 / p99 ms', 'large', 'p50 / p95 / p99 ms', 'p50 to p50'],
  grown.map((one) => [one.what, one.small, three(one.took.small), one.large, three(one.took.large), times(slower(one))]),
)}
`
}
