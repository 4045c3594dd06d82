import { atMost, type Claim, verdicts } from '../claims.ts'
import type { Latency } from '../measure.ts'
import type { Machine } from '../on-servers.ts'
import { ms, pair, seconds, table, times } from '../tables.ts'
import { type Batched, MEMORIES } from './batched.ts'
import type { Failures } from './failures.ts'
import { type Load, WRITERS } from './load.ts'
import type { Mode } from './modes.ts'
import type { Needed } from './sessions.ts'
import { SIZES, type Size } from './sizes.ts'

/** What is left of connections when all is done. */
export interface Left {
  /** By the pool's own count. */
  inUse: number
  open: number
  /** Transactions that the server still runs, and connections that it holds for the service. */
  running: number
  connections: number
}

export interface Measured {
  date: string
  machine: Machine & { load: [number, number]; driver: string }
  needed: Needed[]
  batched: Batched
  load: Load
  failures: Failures & { opened: number; begun: number; left: Left }
  modes: Mode[]
  sizes: Record<'Neo4j' | 'tables in Postgres' | 'tables in the embedded store', Size[]>
}

/** What must hold, beside what was measured. */
export function claims({ needed, batched, load, failures: { left } }: Measured): Claim[] {
  const worst = (start: string, name: 'sessions' | 'transactions') =>
    Math.max(...needed.filter(({ operation }) => operation.startsWith(start)).map(({ now }) => now[name]))
  const { byHand, byOperation } = batched
  const faster = byOperation.perOperation / byOperation.applied
  return [
    atMost('sessions for one `remember` with two entities', 1, worst('remember', 'sessions'), String),
    atMost('sessions for one `recall` over three kinds', 1, worst('recall', 'sessions'), String),
    atMost('transactions for a bulk of 100 items', 2, worst('bulk', 'transactions'), String),
    {
      what: `${MEMORIES} memories: faster than a session for each operation`,
      bound: 'at least 20 times',
      measured: `${faster.toFixed(0)} times`,
      holds: faster >= 20,
    },
    atMost(
      `${MEMORIES} memories: time in the graph, of one hand-written \`UNWIND\` for each batch`,
      1.3,
      byHand.applied / byHand.unwound,
      times,
    ),
    atMost(`${WRITERS} writers: graph transactions for each memory`, 0.05, load.transactionsEach, (n) => n.toFixed(3)),
    atMost(`${WRITERS} writers: from acknowledged to visible in the graph, p95`, 2, load.lag.p95 / 1_000, seconds),
    atMost('after 10,000 operations with failures: connections in use', 0, left.inUse, String),
    atMost('after 10,000 operations with failures: sessions open, transactions left running', 0, Math.max(left.open, left.running), String),
  ]
}

const long = ({ p50, p95, p99, most }: Latency & { most: number }) => [p50, p95, p99, most].map(ms).join(' / ')

/** The figures as Markdown: for the screen, and for the page that is kept. */
export function report(measured: Measured): string {
  const { date, machine, needed, batched, load, failures, modes, sizes } = measured
  const { left } = failures
  const { byHand, byOperation } = batched
  return `# What it costs to write to the graph

${date}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, load average ${machine.load[0]} before and ${machine.load[1]} after, Node ${machine.node},
Neo4j ${machine.neo4j} with driver ${machine.driver}, PostgreSQL ${machine.postgres}, both on this machine and both with every commit on disk.
One run of \`npm run bench -- graph --write\`. Times are those of a machine and of what else it did; what counts are ratios, taken by turns.

${verdicts(claims(measured))}

## Sessions and transactions

Sessions are counted where the driver opens them, transactions by the numbers that the server gives them, reads included. "One for each" is a
session for every node and edge (for recall: for every kind), as it is when each is a function of its own; it was run beside, by hand.

${table(
  ['operation', 'sessions', 'transactions', 'one for each: sessions', 'transactions'],
  needed.map(({ operation, was, now }) => [operation, now.sessions, now.transactions, was.sessions, was.transactions]),
)}

## ${MEMORIES} memories with two entities each

Into the empty graph of a tenant, ${MEMORIES * 3} nodes and ${MEMORIES * 2} edges, in a warm Neo4j, medians by turns: the same nodes, edges, properties, labels
and indexes each time. The hand-written one has no fence, keeps nothing of what is gone and cannot replace an edge.
What \`project\` adds is Postgres: leasing ${MEMORIES * 3} rows, reading their truth and settling them. The bound of 1.3 is for the time in the graph.

${table(
  ['way', 'ms', ''],
  [
    ['one hand-written `UNWIND` for each batch', ms(byHand.unwound), `1, of ${byHand.rounds} rounds`],
    ['`apply`, as `project` calls it: all of the time in the graph', ms(byHand.applied), times(byHand.applied / byHand.unwound)],
    ['the same in turns with the next', ms(byOperation.applied), `1, of ${byOperation.rounds} rounds`],
    ['a session for each operation', ms(byOperation.perOperation), times(byOperation.perOperation / byOperation.applied)],
    ['`project`, from owed in Postgres to settled there', ms(batched.projected), times(batched.projected / byHand.unwound)],
    ['of that in the graph', ms(batched.projectedGraph), ''],
    ['of that in Postgres and between', ms(batched.projected - batched.projectedGraph), ''],
  ],
)}

## ${WRITERS} writers at once

The service in a process of its own, asked over HTTP for ${seconds(load.seconds)}, vectors given, two entities each. The lag is from the answer until the
ledger notes that the graph shows the memory and what it mentions, by one clock. The writers ran on the same cores.

${table(
  [
    'memories',
    'a second',
    'answered after, p50 / p95 ms',
    'graph transactions for each',
    'lag, p50 / p95 / p99 / longest ms',
    'all shown after the last answer',
  ],
  [
    [
      load.memories,
      (load.memories / load.seconds).toFixed(0),
      pair(load.answered),
      load.transactionsEach.toFixed(3),
      long(load.lag),
      seconds(load.quietMs / 1_000),
    ],
  ],
)}

## After failures

${failures.operations} calls of all sorts, 24 at once, alone and in sessions of both modes; some given up, late, refused or throwing in the middle, and ${failures.cut}
connections cut: ${failures.failed} calls failed, ${failures.opened} sessions were opened and ${failures.begun} transactions begun. Then: ${left.inUse} connections in use, ${left.open} sessions open, ${left.running} transactions on the server, which holds ${left.connections} idle connections for the pool.

## What a session costs

Calls that write one node each, one after the other; milliseconds for each call, medians by turns.

${table(
  ['calls', 'single', 'reuse', 'atomic'],
  modes.map(({ calls, single, reuse, atomic }) => [calls, single.toFixed(2), reuse.toFixed(2), atomic.toFixed(2)]),
)}

## Rows in one transaction

Milliseconds for 1,000 rows in all, and for one transaction.

${table(
  ['graph', ...SIZES.map((rows) => `${rows} rows`)],
  Object.entries(sizes).map(([graph, found]) => [
    graph,
    ...found.map(({ perThousand, transaction }) => `${ms(perThousand)} / ${ms(transaction)}`),
  ]),
)}
`
}
