import { cpus, loadavg } from 'node:os'
import type { Latency } from '@twofold/bench/measure.ts'
import { pair, table, times } from '@twofold/bench/tables.ts'
import type { Cold } from './measure.ts'

/** What an operation stands on: Postgres alone, a model of a provider as well, or the graph. */
export type Kind = 'plain' | 'model' | 'graph'

export interface Measured {
  date: string
  empty: Cold
  functions: (Cold & { kind: Kind })[]
  warm: { empty: Latency; layer: Latency }
}

const STANDS_ON: Record<Kind, string> = { plain: 'Postgres', model: 'Postgres and a model', graph: 'the graph as well' }

/** How many times as long as that of an empty handler an init may take. */
const MOST: Record<Kind, number> = { plain: 2, model: 2, graph: 4 }
/** What the operation layer may add to an event, in milliseconds. */
const MOST_LAYER_MS = 1

/** How many times as long as the empty handler, p50. */
const ratio = ({ empty }: Measured, each: Cold, what: 'init' | 'cpu' | 'answered') => each[what].p50 / empty[what].p50
const added = ({ warm: { empty, layer } }: Measured) => layer.p50 - empty.p50

/** What a start takes, as it is said of one that takes too much. */
const STARTS = { init: 'takes', cpu: 'computes' } as const

/** What is over its bound, by time or by CPU, each as one line. */
export const tooSlow = (measured: Measured): string[] => [
  ...(['init', 'cpu'] as const).flatMap((what) =>
    measured.functions
      .filter((each) => ratio(measured, each, what) > MOST[each.kind])
      .map(
        (each) =>
          `${each.entry} ${STARTS[what]} ${times(ratio(measured, each, what))} times as long to start as an empty handler, and may ${MOST[each.kind]}`,
      ),
  ),
  ...(added(measured) > MOST_LAYER_MS
    ? [`the operation layer adds ${times(added(measured))} ms to an event, and may ${MOST_LAYER_MS}`]
    : []),
]

/** The figures as Markdown: for the screen, and for the page that is kept. */
export function report(measured: Measured): string {
  const { date, empty, functions, warm } = measured
  const [cpu] = cpus()
  const load = Math.round((loadavg()[2] as number) * 10) / 10
  return `# What it costs to start a function

${date}, ${cpus().length} cores (${cpu?.model ?? 'unknown'}, load average ${load}), Node ${process.versions.node}. Made by \`npm run cold -- --write\`.

Each function is bundled as it is deployed and started under AWS's own runtime client, which asks a server that speaks Lambda's
Runtime API for its first event. All are started by turns, the empty handler (Hono and nothing else) among them. Init is the time
from the start of the process until it asks for that event; CPU is what all its threads computed meanwhile, of which the compiler's
run beside on a second core: a function that has less than one core waits for that. The bound is held against both. The client of
the cache, the SDK of models and, where turns alone may be counted, the vocabulary of tokens are loaded by the first event that
needs them, so beside the init stands all that was computed until the first event was answered, with a database and a model there
and Redis and Neo4j refusing. Milliseconds are p50 / p95 of ${empty.init.n} starts, times those of the empty handler's p50.

${table(
  ['function', 'stands on', 'kB', 'loaded at the start', 'init', 'times', 'bound', 'CPU', 'times', 'with its first answer', 'times'],
  [
    [
      'an empty handler',
      'nothing',
      kb(empty.bytes),
      kb(empty.started),
      pair(empty.init),
      '1',
      '',
      pair(empty.cpu),
      '1',
      pair(empty.answered),
      '1',
    ],
    ...functions.map((each) => [
      `\`${each.entry}\``,
      ...[
        STANDS_ON[each.kind],
        kb(each.bytes),
        kb(each.started),
        pair(each.init),
        times(ratio(measured, each, 'init')),
        MOST[each.kind],
        pair(each.cpu),
        times(ratio(measured, each, 'cpu')),
        pair(each.answered),
        times(ratio(measured, each, 'answered')),
      ],
    ]),
  ],
)}

A warm function, asked ${warm.empty.n} times by turns; the operation layer hashes the key, reads and validates the input, parses
the output, and counts:

${table(
  ['event', 'p50 / p95'],
  [
    ['an empty handler', pair(warm.empty)],
    ['`memories.add` with nothing behind it', pair(warm.layer)],
    ['what the layer adds (p50)', `${added(measured).toFixed(2)}, bound ${MOST_LAYER_MS}`],
  ],
)}
`
}

const kb = (bytes: number) => Math.round(bytes / 1000)
