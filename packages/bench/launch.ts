import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Endpoint } from '@twofold/postgres/endpoint.ts'

/** The service as everybody starts it, in a process of its own. */
export interface Running {
  url: string
  key: string
  /** Its database, as its owner, over the HTTP endpoint that the service itself uses. */
  database: Endpoint
  /** From the start of the process until it said that it is ready. */
  startedMs: number
  stop(): Promise<void>
}

const START = fileURLToPath(new URL('../local/start.ts', import.meta.url))

/**
 * Starts the service on a home and waits until it is ready; what the embedded model answers comes with npm install. `variables` name real
 * parts. Throws with what it said when it ends before.
 */
export async function launch(home: string, variables: Record<string, string> = {}): Promise<Running> {
  const started = performance.now()
  const child = spawn(process.execPath, [START], {
    env: { PATH: '/usr/bin:/bin', PORT: '0', TWOFOLD_HOME: home, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  process.once('exit', () => child.kill())
  let said = ''
  child.stderr.on('data', (bytes) => {
    said += bytes
  })
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(line.slice(6))
    })
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}: ${said}`)))
  })
  const startedMs = performance.now() - started
  const joining = new Map(
    readFileSync(join(home, 'join'), 'utf8')
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  return {
    url,
    key: readFileSync(join(home, 'key'), 'utf8').trim(),
    database: { url: joining.get('DATABASE_URL') as string, fetchEndpoint: joining.get('DATABASE_HTTP_URL') },
    startedMs,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}
