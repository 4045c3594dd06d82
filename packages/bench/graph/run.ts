import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { neo4jGraph } from '@twofold/graph/neo4j/graph.ts'
import driver from 'neo4j-driver-lite/package.json' with { type: 'json' }
import { load1, machineOf, onServers, say } from '../on-servers.ts'
import { batched } from './batched.ts'
import { fail, openProxy } from './failures.ts'
import { load } from './load.ts'
import { modes } from './modes.ts'
import { claims, type Measured, report } from './report.ts'
import { needed } from './sessions.ts'
import { sizes } from './sizes.ts'
import { type Inside, neo4jVariables, openInside, openServers, type Servers } from './stores.ts'
import { openWitness, type Witness } from './witness.ts'

const USAGE = `npm run bench -- graph [--seconds 90] [--json] [--write]
  --seconds  how long 16 writers write; the whole takes some minutes more
  --json     the figures as JSON in place of tables
  --write    the tables into packages/bench/GRAPH.md`

/** Measures the graph on servers of its own. Answers how many of the claims do not hold. */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '90' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const seconds = Number(values.seconds)
  if (values.help || !Number.isInteger(seconds) || seconds < 1) {
    process.stderr.write(`${USAGE}\n`)
    return values.help ? 0 : 1
  }
  return onServers({
    ...{ json: values.json, write: values.write, page: 'GRAPH.md' },
    open: openServers,
    measure: (servers, folder) => measure(servers, folder, seconds),
    ...{ report, claims },
  })
}

async function measure(servers: Servers, folder: string, seconds: number): Promise<Measured> {
  const before = load1()
  const witness = openWitness(servers.neo4j)
  const real = await openInside({ DATABASE_URL: await servers.database(), ...neo4jVariables(servers.neo4j) })
  const { deps } = real
  try {
    const machine = await machineOf(deps, witness)
    say('sessions and transactions')
    const sessions = await needed(real, witness)
    const many = await batched(real, witness, say)
    say('modes of sessions')
    const each = await modes(deps.graph, deps.id)
    say('rows in one transaction')
    const rows = await inAll(real, servers)
    say('failures')
    const failures = await failing(servers, witness, deps.now)
    await real.close()
    say(`16 writers, ${seconds} s`)
    const loaded = await load(servers, witness, join(folder, 'home'), seconds)
    return {
      date: new Date().toISOString().slice(0, 10),
      machine: { ...machine, load: [before, load1()], driver: driver.version },
      needed: sessions,
      batched: many,
      load: loaded,
      failures,
      modes: each,
      sizes: rows,
    }
  } finally {
    await witness.close()
  }
}

/** The same rows into every graph there is. */
async function inAll(real: Inside, servers: Servers): Promise<Measured['sizes']> {
  const into = async (inside: Inside, graph = inside.deps.graph) => sizes(graph, async () => (await inside.tenant()).id)
  const tables = await openInside({ DATABASE_URL: await servers.database() })
  const embedded = await openInside({})
  try {
    return { Neo4j: await into(real), 'tables in Postgres': await into(tables), 'tables in the embedded store': await into(embedded) }
  } finally {
    await tables.close()
    await embedded.close()
  }
}

/** Through a proxy that cuts connections, with a breaker that closes soon enough for the calls to go on. */
async function failing({ neo4j }: Servers, witness: Witness, now: () => Date): Promise<Measured['failures']> {
  const silent = { info() {}, warn() {}, error() {} }
  const proxy = await openProxy(new URL(neo4j.uri))
  const options = { ...neo4j, uri: `bolt://127.0.0.1:${proxy.port}`, database: 'neo4j', pool: { min: 10, max: 50 }, now, log: silent }
  const graph = neo4jGraph({ ...options, breaker: { failures: 3, recoveryMs: 20 }, retry: { attempts: 3, delayMs: 50 } })
  try {
    await graph.warmed
    const before = graph.usage()
    const failures = await fail(graph, proxy, [randomUUID(), randomUUID()])
    // What was given up is tidied up by itself.
    await sleep(3_000)
    const { opened, open, transactions } = graph.usage()
    return {
      ...failures,
      opened: opened - before.opened,
      begun: transactions - before.transactions,
      left: { inUse: witness.inUse(), open, running: await witness.running(), connections: await witness.connections() },
    }
  } finally {
    await graph.close()
    await proxy.close()
  }
}
