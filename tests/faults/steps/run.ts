import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { servers, startKept } from '@twofold/servers/servers.ts'
import { tables } from '../../consistency/tables.ts'
import { cases } from './case.ts'
import { describe, everything, type Planned, unknown } from './plan.ts'
import { report } from './report.ts'
import { scenes } from './scenes/scenes.ts'
import { sites } from './sites.ts'
import { stage } from './stage.ts'

// npm run faults [-- --graph tables|neo4j] [--scene <words>] [--write]: stops a process at every step of everything it
// does, each time it comes by, on both graphs; with --write the outcome is kept in STEPS.md.

const { values } = parseArgs({
  options: { graph: { type: 'string' }, scene: { type: 'string' }, write: { type: 'boolean', default: false } },
})
const all = sites()
const say = (line: string) => process.stderr.write(`${line}\n`)

export interface Ran {
  graph: string
  minutes: number
  cases: { planned: Planned; failure: string | null }[]
}

async function runOn(graph: string): Promise<Ran> {
  const neo4j = graph === 'neo4j' ? await openNeo4j() : null
  const here = await stage(neo4j?.variables ?? { NEO4J_URI: '' })
  // It reads where Neo4j is when it is loaded.
  const tamperer = neo4j ? (await import('../../consistency/cypher.ts')).cypher() : tables(here.deps.db)
  const started = performance.now()
  try {
    const run = cases(here, all, tamperer)
    const wanted = Object.entries(scenes).filter(([name]) => values.scene === undefined || name.includes(values.scene))
    const recorded = new Map<string, readonly string[]>()
    for (const [name, setting] of wanted) recorded.set(name, await run.record(setting))
    const strange = values.scene === undefined ? unknown(recorded, all) : []
    if (strange.length > 0) throw new Error(`no process dies at ${strange.join(', ')}`)
    const ran: Ran['cases'] = []
    for (const planned of everything(recorded, all)) {
      const setting = scenes[planned.scene] as (typeof scenes)[string]
      const failure = await run.stop(setting, planned.stop, planned.meanwhile).then(
        () => null,
        (error) => String(error.stack),
      )
      ran.push({ planned, failure })
      if (failure) say(`FAILED ${graph}: ${describe(planned)}\n${failure}`)
      else if (ran.length % 25 === 0) say(`${graph}: ${ran.length}`)
    }
    return { graph, minutes: (performance.now() - started) / 60_000, cases: ran }
  } finally {
    await tamperer.close()
    await here.close()
    await neo4j?.stop()
  }
}

/** The one that runs already, or one that stops again. */
async function openNeo4j() {
  const server = servers.find(({ name }) => name === 'neo4j') as (typeof servers)[number]
  const { running, started } = await startKept(server, process.env, say)
  Object.assign(process.env, running.variables)
  const { TEST_NEO4J_URI, TEST_NEO4J_USERNAME, TEST_NEO4J_PASSWORD } = running.variables as Record<string, string>
  const variables = { NEO4J_URI: TEST_NEO4J_URI, NEO4J_USERNAME: TEST_NEO4J_USERNAME, NEO4J_PASSWORD: TEST_NEO4J_PASSWORD } as Record<
    string,
    string
  >
  return { variables, stop: async () => (started ? running.stop() : undefined) }
}

const ran: Ran[] = []
for (const graph of values.graph ? [values.graph] : ['tables', 'neo4j']) {
  ran.push(await runOn(graph))
  if (values.write) await writeFile(new URL('STEPS.md', import.meta.url), report(ran))
}
if (!values.write) process.stdout.write(report(ran))
process.exitCode = ran.some(({ cases }) => cases.some(({ failure }) => failure !== null)) ? 1 : 0
