import { atMost, type Claim, verdicts } from '../claims.ts'
import type { Machine } from '../on-servers.ts'
import { ms, pair, seconds, table, times } from '../tables.ts'
import { type Cost, READ, ROUNDS } from './cost.ts'
import type { Rebuild } from './rebuild.ts'
import { ROUNDS as REPAIRS, type Repair } from './repairs.ts'
import { ROWS } from './unwound.ts'

export interface Size {
  inSync: Cost
  afterDeletions: Cost
  repairs: Repair[]
}

export interface Measured {
  date: string
  machine: Machine & { load: [number, number] }
  graphs: { name: string; sizes: [small: Size, large: Size]; rebuilt?: Rebuild }[]
}

const count = (n: number): string => n.toLocaleString('en-US')
const overBare = ({ check, bare }: Cost): number => check / (bare.postgres + bare.graph)

/** How much longer the same repairs take in the larger graph, the worst of them. */
const bySize = ([small, large]: readonly [Size, Size]): number =>
  Math.max(...large.repairs.map(({ repaired }, i) => repaired / (small.repairs[i] as Repair).repaired))

/** What must hold, beside what was measured. */
export function claims({ graphs }: Measured): Claim[] {
  return graphs.flatMap(({ name, sizes, rebuilt }) => {
    const [small, { inSync, afterDeletions }] = sizes
    const memories = count(inSync.memories)
    const within = (what: string, most: number, measured: number) => atMost(`${name}: ${what}`, most, measured, times)
    const cheaper = inSync.reading / inSync.check
    return [
      within(`a check of ${memories} memories in sync, of the two bare aggregates`, 1.5, overBare(inSync)),
      within('the same with one in a hundred deleted', 1.5, overBare(afterDeletions)),
      {
        what: `${name}: cheaper than reading each of ${memories} memories from both stores`,
        bound: 'at least 1,000 times',
        measured: `${count(Math.round(cheaper))} times`,
        holds: cheaper >= 1_000,
      },
      within(
        `repairing the same differences in ${count(inSync.memories / small.inSync.memories)} times as many memories`,
        1.5,
        bySize(sizes),
      ),
      ...(rebuilt ? ofRebuild(name, rebuilt) : []),
    ]
  })
}

const ofRebuild = (name: string, { whole, byHand, walks: { quiet, during } }: Rebuild): Claim[] => [
  {
    what: `${name}: the rate of a rebuild, of a hand-written \`UNWIND\` of the same rows`,
    bound: 'at least 0.70',
    measured: times(byHand / whole),
    holds: byHand / whole >= 0.7,
  },
  atMost(`${name}: walks while it is rebuilt, p95, of the quiet one`, 2, during.p95 / quiet.p95, times),
]

/** The figures as Markdown: for the screen, and for the page that is kept. */
export function report(measured: Measured): string {
  const { date, machine, graphs } = measured
  const each = <T>(of: (name: string, size: Size) => T[]): T[] =>
    graphs.flatMap(({ name, sizes }) => sizes.flatMap((size) => of(name, size)))
  return `# What it costs to know that both stores agree

${date}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, load average ${machine.load[0]} before and ${machine.load[1]} after, Node ${machine.node},
Neo4j ${machine.neo4j}, PostgreSQL ${machine.postgres}, both on this machine and both with every commit on disk.
One run of \`npm run bench -- consistency --write\`. Times are those of a machine and of what else it did; what counts are ratios, taken by turns.

${verdicts(claims(measured))}

## In sync

Milliseconds, medians of ${ROUNDS} turns. A check is what \`check\` does for a whole tenant, the tenant's state and the comparison included. Bare is one
aggregate on each side, of counts, digests and degrees by bucket (in the graph one statement for nodes and one for edges, by the bucket of who
asserts them), without a look at whether anything is odd. Each memory mentions a person and a place, which are related: three edges. Read one by one were ${count(READ)} of
them, what Postgres says and what the graph holds, one after the other, some in each turn; that is scaled.

${table(
  ['graph', 'memories', '', 'check', 'bare in Postgres', 'bare in the graph', 'check to bare', 'read one by one'],
  each((name, { inSync, afterDeletions }) =>
    [inSync, afterDeletions].map((cost) => [
      ...[name, count(cost.memories), cost === inSync ? '' : 'after one in a hundred was deleted', ms(cost.check)],
      ...[ms(cost.bare.postgres), ms(cost.bare.graph), times(overBare(cost)), seconds(cost.reading / 1_000)],
    ]),
  ),
)}

## Differences

Digests changed by hand, of memories spread over all buckets; milliseconds, the least of ${REPAIRS} rounds, in both sizes by turns. Finding them reads the buckets they lie
in, a thousandth of the graph for each; repairing them is leasing, reading, writing and settling those alone.

${table(
  ['graph', 'memories', 'differences', 'found', 'repaired', 'repaired, for each'],
  each((name, { repairs }) =>
    repairs.map(({ memories, differences, found, repaired }) => [
      ...[name, count(memories), count(differences), ms(found), ms(repaired), ms(repaired / differences)],
    ]),
  ),
)}

## Rebuild

A whole tenant, into a new generation beside the one that is read: what Postgres says of every row is read and its digest made, written, compared
by sums, and switched to. By hand are the same nodes and edges, held in memory and written into an empty graph in transactions of ${ROWS}, without fence
or tombstones. All the while one reader on a thread of its own walks two hops from one memory after the other, 5 ms between; quiet is before,
for 20 s.

${table(
  [
    'graph',
    'memories',
    'nodes',
    'edges',
    'rebuilt in',
    'of that filled in',
    'nodes a second',
    'by hand',
    'nodes a second',
    'rate to by hand',
    'filling alone',
  ],
  graphs.flatMap(({ name, rebuilt }) =>
    rebuilt
      ? [
          [
            ...[name, count(rebuilt.memories), count(rebuilt.rows), count(rebuilt.edges), seconds(rebuilt.whole), seconds(rebuilt.filling)],
            ...[count(Math.round(rebuilt.rows / rebuilt.whole)), seconds(rebuilt.byHand), count(Math.round(rebuilt.rows / rebuilt.byHand))],
            ...[times(rebuilt.byHand / rebuilt.whole), times(rebuilt.byHand / rebuilt.filling)],
          ],
        ]
      : [],
  ),
)}

${table(
  ['walks', 'quiet: how many', 'p50 / p95 ms', 'during: how many', 'p50 / p95 ms', 'p95 to quiet'],
  graphs.flatMap(({ name, rebuilt }) => (rebuilt ? [walked(name, rebuilt.walks)] : [])),
)}
`
}

const walked = (name: string, { quiet, during }: Rebuild['walks']) => [
  ...[name, count(quiet.n), pair(quiet), count(during.n), pair(during), times(during.p95 / quiet.p95)],
]
