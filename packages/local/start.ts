import { probableTypos } from '@twofold/functions/typos.ts'
import { joinService } from './join.ts'
import { startService } from './keep.ts'
import { tour } from './tour.ts'

const { PORT, TWOFOLD_HOME, TWOFOLD_API_KEY, ...variables } = process.env
const say = (line = '') => process.stdout.write(`${line}\n`)

const home = TWOFOLD_HOME || '.twofold'

const started = performance.now()
let stopping = false
try {
  const options = {
    home,
    port: portOf(PORT),
    apiKey: TWOFOLD_API_KEY,
    variables,
    log: (message: string) => process.stderr.write(`${message}\n`),
  }
  const kept = variables.DATABASE_HTTP_URL ? null : await startService(options)
  const service = kept ?? (await joinService(options))
  stopOn(['SIGTERM', 'SIGINT'], service.close)
  for (const line of probableTypos(variables)) options.log(line)
  if (kept?.created) await tour(kept, say)
  const key = kept && !TWOFOLD_API_KEY ? kept.key : '$TWOFOLD_API_KEY'
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  say(
    kept
      ? `Twofold keeps its data in ${variables.DATABASE_URL ? 'the Postgres at DATABASE_URL' : home} and started in ${seconds} s.`
      : `Twofold joined the stores behind ${variables.DATABASE_HTTP_URL} in ${seconds} s.`,
  )
  say()
  say(`  API key  ${key}`)
  say(`  Docs     ${service.url}/docs`)
  say()
  say(`curl -s ${service.url}/v1/memories -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\`)
  say(`  -d '{"userId":"alice","content":"Met John Smith from Acme Corporation in Berlin about the launch."}'`)
  say(`curl -s ${service.url}/v1/memories/search -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\`)
  say(`  -d '{"userId":"alice","query":"Who did I meet in Germany?"}'`)
  say()
  say(`ready ${service.url}`)
} catch (error) {
  // The tour breaks off when the service is told to stop meanwhile; then closing decides how it ends.
  if (!stopping) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

function portOf(text: string | undefined): number {
  const port = Number(text || 8787)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new Error(`PORT is "${text}"; allowed is a whole number from 0 to 65535.`)
}

/** A terminal and npm may both pass on one and the same signal. */
const SAME_SIGNAL_MS = 1000

/** Finishes what runs, then goes; who asks again later wants it gone at once. */
function stopOn(signals: readonly NodeJS.Signals[], close: () => Promise<void>): void {
  let asked: number | null = null
  const stop = () => {
    if (asked !== null && performance.now() - asked > SAME_SIGNAL_MS) process.exit(130)
    if (asked !== null) return
    asked = performance.now()
    stopping = true
    close().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
        process.exit(1)
      },
    )
  }
  for (const signal of signals) process.on(signal, stop)
}
