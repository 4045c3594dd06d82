import { join } from 'node:path'
import { find, type Server } from './server.ts'
import { cacheOf, dataOf, type State, servers, startKept, stateOf } from './servers.ts'

const USAGE = 'npm run servers -- start|stop|status|provision [neo4j] [postgres] [redis] [sqs]'

const say = (line: string) => process.stdout.write(`${line}\n`)

const [verb = '', ...names] = process.argv.slice(2)
const unknown = names.filter((name) => !servers.some((server) => server.name === name))
const meant = names.length === 0 ? servers : servers.filter((server) => names.includes(server.name))
const verbs: Record<string, () => Promise<number> | number> = { start, stop, status, provision }
if (!verbs[verb] || unknown.length > 0) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(1)
}
process.exit(await verbs[verb]())

/** All at once; one that cannot keeps none of the others from it. */
async function each(work: (server: Server) => Promise<string>): Promise<number> {
  const done = await Promise.all(
    meant.map(async (server) => {
      try {
        say(`${server.name.padEnd(8)} ${await work(server)}`)
        return true
      } catch (error) {
        say(`${server.name.padEnd(8)} CANNOT RUN: ${(error as Error).message}`)
        return false
      }
    }),
  )
  return done.includes(false) ? 1 : 0
}

async function start(): Promise<number> {
  const code = await each(async (server) => {
    const { running, started } = await startKept(server, process.env, say)
    return `${started ? 'started' : 'runs already'} on ${running.url}`
  })
  for (const server of meant) {
    const state = stateOf(server, process.env)
    if (state.state === 'running') for (const [name, value] of Object.entries(state.running.variables)) say(`export ${name}=${value}`)
  }
  return code
}

/** Only brings the programs into the cache. */
function provision(): Promise<number> {
  return each(async (server) => {
    const state = stateOf(server, process.env)
    if (state.state === 'cannot run') throw new Error(state.why.join('; '))
    await server.provision(cacheOf(process.env), say)
    return 'is in the cache'
  })
}

function stop(): Promise<number> {
  return each(async (server) => {
    const running = find(server, join(dataOf(process.env), server.name))
    await running?.stop()
    return running ? 'stopped' : 'did not run'
  })
}

function status(): number {
  for (const server of meant) say(`${server.name.padEnd(8)} ${described(stateOf(server, process.env))} (${server.title})`)
  return 0
}

function described(state: State): string {
  if (state.state === 'running') return `running on ${state.running.url}, pid ${state.running.pid}`
  return state.state === 'stopped' ? 'stopped' : `cannot run: ${state.why.join('; ')}`
}
