import type { Beside, Compared, Found } from './compare.ts'
import type { Filled } from './fill.ts'
import type { Modelled } from './model.ts'
import type { Start } from './starts.ts'
import { megabytes, ms, pair, seconds, table, times } from './tables.ts'

export interface Measured {
  date: string
  machine: { cores: number; load: number; cpu: string; memoryGb: number; node: string; pglite: string; postgres: string; pgvector: string }
  first: Start
  warm: Start
  sizes: (Compared & { size: number; filled: Filled; resident: number })[]
  model: Modelled
}

const parts = (named: Record<string, number>) =>
  Object.entries(named)
    .filter(([, value]) => value >= 0.05)
    .map(([name, value]) => `${name} ${ms(value)}`)
    .join(', ')

/** The figures as Markdown: for the screen, and for the page that is kept. */
export function report({ date, machine, first, warm, sizes, model }: Measured): string {
  return `# What it costs beside bare SQL

${date}, ${machine.cores} cores (${machine.cpu}, load average ${machine.load}), ${machine.memoryGb} GB, Node ${machine.node}, PGlite ${machine.pglite} (Postgres ${machine.postgres}, pgvector ${machine.pgvector}), on disk.
Made by \`npm run bench -- --write\`; milliseconds are p50 / p95 of 300 requests one after another.

The floor is one table with an index by id, one by namespace and HNSW over half precision, asked through the same driver, endpoint and store,
in the same run and by turns with the service. The service is asked over HTTP, in a process of its own. Vectors are given, so that no model is
waited for. The times are those of a machine and of what else it did; what counts is the ratio of the two p50, and that only where both
find as much: with its defaults the bare index leaves out what a filter takes away (recall).

${table(
  ['memories', 'request', 'bare SQL', 'Twofold', 'ratio', 'parts of ours (p50)', 'recall@10, bare / ours'],
  sizes.flatMap(({ size, store, get, search }) => [
    line(size, 'store', store),
    line(size, 'get', get),
    line(size, 'search by vector', search.vector),
    line(size, 'search by vector and words', search.hybrid),
    line(size, `search by vector, a namespace of ${size / 10}`, search.narrow),
  ]),
)}

${table(
  ['memories', '16 writers at once, bare SQL', 'Twofold', 'filled through batches of 250', 'until the graph agrees', 'resident memory'],
  sizes.map(({ size, writers, filled, resident }) => [
    size,
    `${writers.floor.toFixed(0)} a second`,
    `${writers.ours.toFixed(0)} a second`,
    seconds(filled.storedS),
    seconds(filled.agreedS),
    megabytes(resident),
  ]),
)}

With the models that come with it, of texts that they have not seen, in the largest store:

${table(
  ['request', 'Twofold', 'parts (p50)'],
  [
    ['store, embedded, entities extracted', pair(model.store), parts(model.storeParts)],
    ['search by a question', pair(model.search), parts(model.searchParts)],
  ],
)}

${table(
  ['start', 'until ready', 'resident memory 10 s later'],
  [
    ['first, with an empty home: the store is made and proves itself', seconds(first.readyMs / 1000), megabytes(first.resident)],
    ['again, with everything above in it', seconds(warm.readyMs / 1000), megabytes(warm.resident)],
  ],
)}
`
}

const line = (size: number, name: string, beside: Beside | Found): (string | number)[] => [
  size,
  name,
  pair(beside.floor),
  pair(beside.ours),
  times(beside.ours.p50 / beside.floor.p50),
  parts(beside.parts),
  'recall' in beside ? `${beside.recall.floor.toFixed(3)} / ${beside.recall.ours.toFixed(3)}` : '',
]
