import { readFile } from 'node:fs/promises'

/** What was measured, as the committed pages of results say it. Milliseconds unless a name says otherwise. */
export interface Figures {
  /** Of one request in the service, with its vector given, and how long of it Postgres was asked. */
  write: Request
  search: Request
  /** Reading one memory by its id. */
  small: Request
  /** What the models that come with the service add: in the cloud a provider is asked in their place. */
  embedWrite: number
  embedQuery: number
  /** Transactions of so many rows in Neo4j, one after the other: what each took. */
  graphBatches: { rows: number; ms: number }[]
  /** From owed to settled, for each row: what Postgres and the way between add to the time in the graph. */
  settleRow: number
  /** Ledger rows of one memory that mentions two things. */
  rowsPerMemory: number
}

export interface Request {
  total: number
  db: number
}

const PAGES = { results: 'RESULTS.md', graph: 'GRAPH.md' }

/** Reads the pages. Throws, naming page and row, when one no longer says what is looked for. */
export async function readFigures(): Promise<Figures> {
  const [results, graph] = await Promise.all(Object.values(PAGES).map(page))
  if (!results || !graph) throw new Error('no pages')
  const [memories, ms] = [500, (cell: string) => number(cell.split('/')[0] as string)]
  const rows = number(graph.match(/graph of a tenant, (\d+) nodes/, 'the rows of 500 memories'))
  return {
    write: request(results.row('20000', 'store')),
    search: request(results.row('20000', 'search by vector and words')),
    small: request(results.row('20000', 'get')),
    embedWrite: part(results.row('store, embedded, entities extracted').at(-1), 'embed'),
    embedQuery: part(results.row('search by a question').at(-1), 'embed'),
    graphBatches: [50, 200, 500, 1000].map((size, i) => ({ rows: size, ms: number(graph.row('Neo4j')[i + 1]?.split('/')[1]) })),
    settleRow: ms(graph.row('of that in Postgres and between')[1] as string) / rows,
    rowsPerMemory: rows / memories,
  }
}

/** A row of the table of requests: how long the service took for it, and Postgres of that. */
const request = (cells: string[]): Request => ({ total: part(cells[5], 'total'), db: part(cells[5], 'db') })

const part = (cell: string | undefined, name: string): number => number(new RegExp(`\\b${name} ([\\d.]+)`).exec(cell ?? '')?.[1])

function number(text: string | undefined): number {
  const value = Number(text?.trim())
  if (!text || !Number.isFinite(value)) throw new Error(`"${text}" is no figure`)
  return value
}

interface Page {
  /** The cells of the first row that begins with these. */
  row(...begins: string[]): string[]
  match(pattern: RegExp, what: string): string
}

async function page(name: string): Promise<Page> {
  const text = await readFile(new URL(`../${name}`, import.meta.url), 'utf8')
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '))
  const missing = (what: string) => new Error(`packages/bench/${name} no longer says ${what}; npm run bench makes it anew`)
  return {
    row(...begins) {
      const found = rows.find((cells) => begins.every((each, i) => cells[i]?.trim() === each))
      if (!found) throw missing(`"${begins.join(' | ')}"`)
      return found
    },
    match(pattern, what) {
      const found = pattern.exec(text)?.[1]
      if (found === undefined) throw missing(what)
      return found
    },
  }
}
