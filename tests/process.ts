import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { emptyTemplate } from '@twofold/local/sql/fixture.ts'
import { openPglite } from '@twofold/local/sql/pglite.ts'
import { asOwner } from '@twofold/postgres/owner.ts'

const START = fileURLToPath(new URL('../packages/local/start.ts', import.meta.url))

/** All that a process of the product has of this one's environment; and where the first leave what they compiled, so that the others are there in half the time. */
export const bare = (): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../node_modules/.cache/twofold/compiled', import.meta.url)),
})

/** An admin key of the tenant `local` in every process these tests start. */
export const KEY = 'tf_the_key_of_these_tests'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** What a busy machine makes it say: that something took too long, which it does again. */
const SLOW = [
  /"event":"queue\.nudge_lost".*timeout/,
  /^schedules cannot reach their leases: timeout exceeded/,
  /^queue \S+: .* 503: .*timeout exceeded/,
]

/** What it said on standard error beside that. */
export const troubles = ({ stderr }: Ended): string[] =>
  stderr.split('\n').filter((line) => line && !SLOW.some((words) => words.test(line)))

/** The real service, started as a user starts it. */
export interface Process {
  url: string
  pid: number
  /** What the process said, once it is gone, however it went. */
  ended: Promise<Ended>
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ended>
}

/** A folder for a store that exists already, so that the first start does not begin with the tour. */
export async function makeHome(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'twofold-test-'))
  const store = await openPglite({ folder: join(path, 'store'), template: await emptyTemplate(), log: console.error })
  await store.close()
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** A script of the product in a process of its own, with these variables alone: what it said, once it has ended. */
export function run(script: string, args: readonly string[], variables: Record<string, string> = {}) {
  const child = spawn(process.execPath, [script, ...args], { env: { ...bare(), ...variables }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text) => {
      said[stream] += text
    })
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, ...said }))
  return { child, said, ended }
}

/** A process that may not come up: what it said when it ended. */
export function launch(variables: Record<string, string>): { child: ChildProcess; ready: Promise<string | null>; ended: Promise<Ended> } {
  const { child, said, ended } = run(START, [], { PORT: '0', TWOFOLD_API_KEY: KEY, ...variables })
  const ready = new Promise<string | null>((resolve) => {
    child.stdout.on('data', () => {
      const url = /^ready (\S+)\n/m.exec(said.stdout)?.[1]
      if (url) resolve(url)
    })
    child.once('close', () => resolve(null))
  })
  return { child, ready, ended }
}

/** Starts the service on `home` (or wherever `variables` say) and waits until it answers. */
export async function start(home: string | null, variables: Record<string, string> = {}): Promise<Process> {
  const { child, ready, ended } = launch({ ...(home === null ? {} : { TWOFOLD_HOME: home }), ...variables })
  const url = await ready
  if (url === null) throw new Error(`the service did not start: ${(await ended).stderr}`)
  return {
    url,
    pid: child.pid as number,
    ended,
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

/** What the running service left for processes that join its stores. */
export const joinOf = async (home: string): Promise<Record<string, string>> =>
  parseEnv(await readFile(join(home, 'join'), 'utf8')) as Record<string, string>

/** Statements as the owner of the running service's database, past every policy. */
export async function ownerOf(home: string) {
  const { DATABASE_URL, DATABASE_HTTP_URL } = await joinOf(home)
  return asOwner({ url: DATABASE_URL as string, fetchEndpoint: DATABASE_HTTP_URL })
}
