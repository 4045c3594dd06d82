import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Running } from '@twofold/servers/server.ts'
import { servers, startKept } from '@twofold/servers/servers.ts'
import { LENGTHS, RUNS, soak, soakAll, told } from './property.ts'
import { report, stretch, stretchesOf } from './report.ts'
import type { Place } from './stores.ts'

// npm run soak: random operations and faults on the servers that TEST_… name, else on those of `npm run servers`.

const USAGE = `npm run soak -- [--operations 1000000] [--minutes n] [--seed n] [--length 200] [--lanes 3] [--write]
  --operations  how many, on native Postgres and Neo4j
  --minutes     ends after so many, however many they were
  --seed        the first seed, each is ${RUNS} runs; the default goes on after the last in tests/soak/SOAK.md
  --length      operations in one run; the default is ${LENGTHS.long}
  --path        replays what a failure named, with its --seed
  --lanes       how many runs at a time
  --tables      keeps the graph in tables of Postgres
  --write       the figures into tests/soak/SOAK.md, beside those of the stretches before`

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '1000000' },
    minutes: { type: 'string', default: 'Infinity' },
    seed: { type: 'string' },
    length: { type: 'string', default: String(LENGTHS.long) },
    lanes: { type: 'string', default: '3' },
    path: { type: 'string' },
    tables: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const page = new URL('SOAK.md', import.meta.url)
const before = stretchesOf(readFileSync(page, 'utf8'))
const following = String((before.at(-1)?.last ?? 0) + 1)
const [operations, minutes, seed, length, lanes] = [
  values.operations,
  values.minutes,
  values.seed ?? following,
  values.length,
  values.lanes,
].map(Number) as [number, number, number, number, number]
const perSeed = RUNS * length
if (values.help || [operations, minutes, seed, length, lanes].some((n) => !(n > 0))) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(values.help ? 0 : 1)
}

const say = (line: string) => process.stderr.write(`${line}\n`)
const started: Running[] = []
const places: Place[] = []
let failure: string | null
try {
  await serve('postgres')
  if (!values.tables) await serve('neo4j')
  // The servers' variables are read when these are loaded.
  const { inNeo4j, inTables } = await import('./stores.ts')
  const open = values.tables ? inTables : inNeo4j
  for (let i = 0; i < (values.path === undefined ? lanes : 1); i++) places.push(await open())
  failure = values.path === undefined ? await all() : await replay(values.path)
} finally {
  for (const place of places) await place.close()
  for (const server of started) await server.stop()
}
if (failure !== null) say(failure)
process.exit(failure === null ? 0 : 1)

async function serve(name: 'postgres' | 'neo4j'): Promise<void> {
  if (process.env[name === 'postgres' ? 'TEST_DATABASE_URL' : 'TEST_NEO4J_URI']) return
  const server = servers.find((one) => one.name === name) as (typeof servers)[number]
  const { running, started: mine } = await startKept(server, process.env, say)
  if (mine) started.push(running)
  Object.assign(process.env, running.variables)
}

async function replay(path: string): Promise<string | null> {
  const details = await soak(places[0] as Place, seed, { length, path })
  return details.failed ? told(details, length) : null
}

async function all(): Promise<string | null> {
  const begun = Date.now()
  const wanted = Math.ceil(operations / perSeed)
  // Written as it goes on, so that a stretch that is cut off counts as far as it came.
  const write = (seeds: number, failed: string | null) => {
    const graph = values.tables ? 'tables' : 'Neo4j'
    const figures = report([...before, stretch({ graph, seed, seeds, length, seconds: (Date.now() - begun) / 1000, failed })], failed)
    if (values.write) writeFileSync(page, figures)
    return figures
  }
  let seeds = 0
  const failed = await soakAll(places, {
    seed,
    length,
    wanted,
    until: begun + minutes * 60_000,
    done(n) {
      seeds = n
      const rate = (n * perSeed) / (Date.now() - begun)
      const left = Math.min(((wanted - n) * perSeed) / rate, begun + minutes * 60_000 - Date.now())
      say(`${n * perSeed} operations, ${Math.round(rate * 1000)} a second, ${Math.max(0, Math.ceil(left / 60_000))} min left`)
      write(n, null)
    },
  })
  process.stdout.write(write(seeds, failed))
  return failed
}
