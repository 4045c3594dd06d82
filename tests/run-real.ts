import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Running } from '@twofold/servers/server.ts'
import { servers, startKept } from '@twofold/servers/servers.ts'

// npm run test:real [-- what vitest takes]: starts the servers that do not run yet, runs the suites on them, and stops what it started.

const say = (line: string) => process.stderr.write(`${line}\n`)
const variables: Record<string, string> = {}
const missing: Record<string, string> = {}
const own: Running[] = []

/** A server that a test starts for itself is gone before it has had the good of being compiled well, and Neo4j is there in half the time without. */
const JAVA_TOOL_OPTIONS = ['-XX:TieredStopAtLevel=1', process.env.JAVA_TOOL_OPTIONS ?? ''].join(' ').trim()

let interrupted = false
let forward: (signal: NodeJS.Signals) => void = () => undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interrupted = true
    forward(signal)
  })

await Promise.all(
  servers.map(async (server) => {
    try {
      const { running, started } = await startKept(server, process.env, say)
      if (started) own.push(running)
      Object.assign(variables, running.variables)
      say(`${server.title} ${started ? 'started' : 'runs already'} on ${running.url}`)
    } catch (error) {
      missing[server.name] = (error as Error).message
    }
  }),
)
try {
  process.exitCode = interrupted ? 130 : await vitest()
} finally {
  await Promise.all(own.map((running) => running.stop()))
}

/** The tests' exit code; one that a signal ended is no success. */
async function vitest(): Promise<number> {
  const path = (file: string) => fileURLToPath(new URL(`../${file}`, import.meta.url))
  const args = [path('node_modules/vitest/vitest.mjs'), 'run', '--config', path('vitest.real.config.ts'), ...process.argv.slice(2)]
  // What the caller's environment says of servers counts for nothing here.
  const rest = Object.entries(process.env).filter(([name]) => !name.startsWith('TEST_'))
  const env = { ...Object.fromEntries(rest), ...variables, TEST_MISSING: JSON.stringify(missing), JAVA_TOOL_OPTIONS }
  const child = spawn(process.execPath, args, { stdio: 'inherit', env })
  forward = (signal) => child.kill(signal)
  const [code] = await once(child, 'close')
  return code ?? 1
}
