import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { bridge } from './bridge.ts'
import { type Found, findService, keyOf } from './find.ts'
import type { Service } from './keep.ts'
import { LockedError } from './lock.ts'

const USAGE = `npm run --silent mcp [-- options]
  MCP on standard input and output, for programs that start their servers themselves.
  --url <address>      of a running service (TWOFOLD_URL); without one, the service that runs on TWOFOLD_HOME, else one of its own there
  --namespace <path>   where things go when nobody says, such as user:alice (TWOFOLD_NAMESPACE)
  --tools <names>      only these, with commas, such as search_memories,add_memory (TWOFOLD_TOOLS)
The key is TWOFOLD_API_KEY, else the one in TWOFOLD_HOME.`

const { PORT, TWOFOLD_HOME, TWOFOLD_API_KEY, TWOFOLD_URL, TWOFOLD_NAMESPACE, TWOFOLD_TOOLS, ...variables } = process.env
const home = TWOFOLD_HOME || '.twofold'
/** Standard output belongs to the protocol. */
const log = (message: string) => void process.stderr.write(`${message}\n`)

/** Long enough for another program that is starting the service at this moment. */
const PATIENCE_MS = 60_000
const LOOK_AGAIN_MS = 250

let own: Service | null = null

async function reach(url: string | undefined): Promise<Found> {
  if (url) {
    const key = TWOFOLD_API_KEY || keyOf(home)
    if (!key) throw new Error(`TWOFOLD_API_KEY is not set, and there is no key in ${home}.`)
    return { url, key }
  }
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(LOOK_AGAIN_MS)) {
    const found = await findService(home, TWOFOLD_API_KEY)
    if (found) return found
    // Loaded only by who needs it: most find a service that runs, and are there at once.
    const { startService } = await import('./keep.ts')
    try {
      own = await startService({ home, port: Number(PORT || 0), apiKey: TWOFOLD_API_KEY, variables, log })
      return own
    } catch (error) {
      // Somebody is about to serve on this home, or has just stopped.
      if (!(error instanceof LockedError) || performance.now() > end) throw error
    }
  }
}

async function main(): Promise<void> {
  const options = { url: { type: 'string' }, namespace: { type: 'string' }, tools: { type: 'string' }, help: { type: 'boolean' } } as const
  const { values } = parseArgs({ options })
  if (values.help) return log(USAGE)
  const query = { namespace: values.namespace || TWOFOLD_NAMESPACE, tools: values.tools || TWOFOLD_TOOLS }
  const { close } = await bridge({ reach: () => reach(values.url || TWOFOLD_URL), query, log })
  let leaving = false
  const leave = () => {
    if (leaving) return
    leaving = true
    close()
      .then(() => own?.close())
      .finally(() => process.exit(0))
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, leave)
  process.stdin.on('end', leave)
  process.stdin.on('close', leave)
}

main().catch((error) => {
  log(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
