import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { neo4j } from './neo4j.ts'
import { postgres } from './postgres.ts'
import { redis } from './redis.ts'
import { find, isFree, type Name, type Running, type Say, type Server, start, startOrJoin } from './server.ts'
import { sqs } from './sqs.ts'

/** All servers that tests can be held against. */
export const servers: readonly Server[] = [neo4j, postgres, redis, sqs]

type Variables = Record<string, string | undefined>

/** Where programs are kept for all checkouts. */
export const cacheOf = (env: Variables): string => env.TWOFOLD_SERVERS_CACHE ?? join(homedir(), '.cache', 'twofold', 'servers')

/** Where `npm run servers` keeps data and pid of each server. */
export const dataOf = (env: Variables): string =>
  env.TWOFOLD_SERVERS_DATA ?? fileURLToPath(new URL('../../.twofold-servers', import.meta.url))

export type State = { state: 'running'; running: Running } | { state: 'stopped' } | { state: 'cannot run'; why: string[] }

/** How it stands with the server that `npm run servers` starts. */
export function stateOf(server: Server, env: Variables): State {
  const running = find(server, join(dataOf(env), server.name))
  if (running) return { state: 'running', running }
  const why = process.platform === 'linux' ? server.needs(cacheOf(env)) : [`it needs Linux, this is ${process.platform}`]
  return why.length > 0 ? { state: 'cannot run', why } : { state: 'stopped' }
}

/**
 * Starts the server on the data that `npm run servers` keeps, unless it runs there, and waits until it answers. The port is
 * the one that the environment names, else the server's usual one, else any. Throws with the reason when it cannot.
 */
export async function startKept(server: Server, env: Variables, say: Say): Promise<{ running: Running; started: boolean }> {
  const state = stateOf(server, env)
  if (state.state === 'cannot run') throw new Error(state.why.join('; '))
  const cache = cacheOf(env)
  if (state.state === 'stopped') await server.provision(cache, say)
  return startOrJoin(server, { cache, folder: join(dataOf(env), server.name), port: await portOf(server, env) })
}

async function portOf({ name, port }: Server, env: Variables): Promise<number> {
  const variable = `TWOFOLD_SERVERS_${name.toUpperCase()}_PORT`
  const named = env[variable]
  if (named === undefined) return (await isFree(port)) ? port : 0
  if (!/^\d{1,5}$/.test(named) || Number(named) > 65_535) throw new Error(`${variable} is "${named}" and must be a port, 0 for any`)
  return Number(named)
}

export interface Own {
  /** Made when it is not there; give the same one again to start on the same data. */
  folder: string
  /** Any free one when none is given. */
  port?: number
  settings?: Record<string, string>
  durable?: boolean
}

/** Opens an instance of the caller's own, for tests that kill, pause or fill it. */
export async function openServer(name: Name, own: Own): Promise<Running> {
  const server = servers.find((one) => one.name === name) as Server
  const cache = cacheOf(process.env)
  const why = server.needs(cache)
  if (why.length > 0) throw new Error(`${name} cannot run here: ${why.join('; ')}`)
  await server.provision(cache, () => undefined)
  return start(server, { ...own, cache })
}

export const openPostgres = (own: Own): Promise<Running> => openServer('postgres', own)
export const openRedis = (own: Own): Promise<Running> => openServer('redis', own)
export const openSqs = (own: Own): Promise<Running> => openServer('sqs', own)

/** As the others, with the name and password that it asks for. */
export async function openNeo4j(own: Own): Promise<Running & { username: string; password: string }> {
  const running = await openServer('neo4j', own)
  return {
    ...running,
    username: running.variables.TEST_NEO4J_USERNAME as string,
    password: running.variables.TEST_NEO4J_PASSWORD as string,
  }
}
