import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { client } from './client.ts'

// npm run smoke: the journeys of these tests through a service that is deployed.

const USAGE = `npm run smoke -- --url <address> [--key <key>]
  --url  where the service is
  --key  an admin key (SMOKE_KEY); best of a tenant that is kept for this
Ends with 0 when every journey came through. What the journeys store lies under names of their own and is taken away again;
entities made by hand, and the state of a user, stay in that tenant.`

/** What people do with it, as far as it needs nothing but the address. */
const JOURNEYS = ['memories', 'keys', 'graph', 'sessions']
const STORES = ['vectorStore', 'graphStore', 'cache'] as const

const say = (line: string) => process.stdout.write(`${line}\n`)
const fail = (message: string): never => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function given() {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { url: text, key: { ...text, default: process.env.SMOKE_KEY }, help: { type: 'boolean' } } }).values
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${USAGE}`)
  }
}

const { url = '', key = '', help } = given()
if (help) {
  say(USAGE)
  process.exit(0)
}
if (!URL.canParse(url) || !key) fail(USAGE)
await look()
process.exitCode = await journeys()

/** Asks how it is first, so that a wrong address or key is one sentence and no heap of failed expectations. */
async function look(): Promise<void> {
  const asks = client(url.replace(/\/$/, ''), key)
  const { status, json, text } = await asks
    .get('/api/persistence/status')
    .catch((error: Error) => fail(`Nobody answers at ${url}: ${((error.cause as Error) ?? error).message}`))
  if (status !== 200) fail(`${url} answered with ${status}: ${json?.detail ?? text.slice(0, 200)}`)
  for (const store of STORES) {
    const health = json.stores[store]
    if (health)
      say(`${store.padEnd(12)} ${health.disabled ? 'switched off' : health.healthy ? 'healthy' : `not healthy (${health.breaker})`}`)
  }
}

async function journeys(): Promise<number> {
  const path = (file: string) => fileURLToPath(new URL(`../${file}`, import.meta.url))
  const files = JOURNEYS.map((name) => `tests/journeys/${name}.test.ts`)
  const args = [path('node_modules/vitest/vitest.mjs'), 'run', '--config', path('vitest.config.ts'), '--no-file-parallelism', ...files]
  // What the caller's environment says of servers for tests counts for nothing here.
  const rest = Object.entries(process.env).filter(([name]) => !name.startsWith('TEST_'))
  const env = { ...Object.fromEntries(rest), SMOKE_URL: url, SMOKE_KEY: key }
  const child = spawn(process.execPath, args, { stdio: 'inherit', env, cwd: path('.') })
  const [code] = await once(child, 'close')
  return code ?? 1
}
