import { randomInt } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, type Detached, end, isAlive, launch, signal } from './detached.ts'
import { locked } from './provisioned.ts'

export type Name = 'neo4j' | 'postgres' | 'redis' | 'sqs'
export type Say = (line: string) => void

/** Where an instance lives: its programs, its data, its port on 127.0.0.1. */
export interface Place {
  cache: string
  folder: string
  port: number
  /** Settings of the server's own kind, over the usual ones. */
  settings?: Record<string, string>
  /** Keeps what it acknowledged through the death of the machine too; tests of data loss want it, others time. */
  durable?: boolean
}

/** What is to know of one server: how its programs get here, how it is started and asked. */
export interface Server {
  name: Name
  title: string
  /** Its port when nobody names one. */
  port: number
  /** The signal by which it ends in order. */
  ends: NodeJS.Signals
  /** Why it cannot run here, each with the command that helps; empty when it can. */
  needs(cache: string): string[]
  /** Brings its programs into the cache, unless they are there. */
  provision(cache: string, say: Say): Promise<void>
  /** Makes the data folder ready, whatever state it is in, and says what to start. */
  prepare(place: Place): Promise<Command>
  /** The variables by which tests find it, the first of them its address. */
  variables(place: Pick<Place, 'folder' | 'port'>): [string, string][]
  /** Asks one question as a client does; throws while there is no answer. */
  ask(variables: Record<string, string>): Promise<void>
}

/** A running instance. */
export interface Running {
  name: Name
  url: string
  port: number
  pid: number
  /** The variables by which tests find it (TEST_…). */
  variables: Record<string, string>
  /** Where it says what it does. */
  log: string
  /** Waits until it answers a client; throws when it dies or does not within three minutes. */
  ready(): Promise<void>
  /** Ends it in order; done when it and its children are gone. */
  stop(): Promise<void>
  /** kill -9 to it and its children; done when they are gone. */
  kill(): Promise<void>
  /** Stops it and its children where they are (SIGSTOP): connections stay open and nothing answers. */
  pause(): void
  resume(): void
}

const READY_WITHIN = 180_000

interface Noted extends Detached {
  port: number
}

const noteOf = (folder: string) => resolve(folder, 'running.json')
const logOf = (folder: string) => resolve(folder, 'server.log')

/** The instance that runs on the data in `folder`, or null; a note left by one that died counts for nothing. */
export function find(server: Server, folder: string): Running | null {
  const note = noteOf(folder)
  if (!existsSync(note)) return null
  const noted: Noted = JSON.parse(readFileSync(note, 'utf8'))
  return isAlive(noted) ? runningOn(server, resolve(folder), noted) : null
}

/**
 * Starts the server on the data in `folder`, which is made when it is not there, and waits until it answers. Refuses
 * when it runs there already. Provision it first.
 */
export async function start(server: Server, place: Wanted): Promise<Running> {
  const { running, started } = await startOrJoin(server, place)
  if (!started) throw new Error(`${server.name} runs already on ${place.folder} (pid ${running.pid})`)
  return running
}

export type Wanted = Omit<Place, 'port'> & { port?: number }

/** As `start`, but answers with the instance that runs there already, if one does. */
export async function startOrJoin(server: Server, place: Wanted): Promise<{ running: Running; started: boolean }> {
  const folder = resolve(place.folder)
  await mkdir(folder, { recursive: true })
  const { running, started } = await locked(resolve(folder, 'lock'), async () => {
    const there = find(server, folder)
    if (there) return { running: there, started: false }
    const port = place.port ? place.port : await freePort()
    if (!(await isFree(port))) throw new Error(`${server.name}: port ${port} of 127.0.0.1 is taken`)
    const command = await server.prepare({ ...place, folder, port })
    const noted: Noted = { ...(await launch(command, logOf(folder))), port }
    await writeFile(`${noteOf(folder)}.part`, JSON.stringify(noted))
    await rename(`${noteOf(folder)}.part`, noteOf(folder))
    return { running: runningOn(server, folder, noted), started: true }
  })
  try {
    await running.ready()
  } catch (error) {
    if (started) await running.kill()
    throw error
  }
  return { running, started }
}

function runningOn(server: Server, folder: string, noted: Noted): Running {
  const variables = Object.fromEntries(server.variables({ folder, port: noted.port }))
  const log = logOf(folder)
  const killed = async () => {
    if (!(await end(noted, 'SIGKILL', true))) throw new Error(`${server.name} (pid ${noted.pid}) does not end`)
    await rm(noteOf(folder), { force: true })
  }
  return {
    name: server.name,
    url: Object.values(variables)[0] as string,
    port: noted.port,
    pid: noted.pid,
    variables,
    log,
    async ready() {
      const until = Date.now() + READY_WITHIN
      for (;;) {
        if (!isAlive(noted)) throw new Error(`${server.name} ended at start; the end of ${log}:\n${tail(log)}`)
        try {
          return await server.ask(variables)
        } catch (error) {
          if (Date.now() > until) throw new Error(`${server.name} does not answer; the end of ${log}:\n${tail(log)}`, { cause: error })
        }
        await sleep(50)
      }
    },
    async stop() {
      signal(noted, 'SIGCONT', true)
      if (await end(noted, server.ends, false)) await rm(noteOf(folder), { force: true })
      else await killed()
    },
    kill: killed,
    pause: () => signal(noted, 'SIGSTOP', true),
    resume: () => signal(noted, 'SIGCONT', true),
  }
}

const tail = (log: string): string => readFileSync(log, 'utf8').split('\n').slice(-15).join('\n')

/** Below those that systems give to outgoing connections, one of which may get the port of a server that is down for a moment. */
const PORTS = { from: 20_000, to: 32_000 }

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (await isFree(port)) return port
  }
}

export const isFree = (port: number): Promise<boolean> =>
  new Promise((tell) => {
    const socket = createServer()
    socket.once('error', () => tell(false))
    socket.listen(port, '127.0.0.1', () => socket.close(() => tell(true)))
  })
