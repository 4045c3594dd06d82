import { startService } from './service.ts'
import { tour } from './tour.ts'

const { PORT, TWOFOLD_HOME, TWOFOLD_API_KEY, ...variables } = process.env
const say = (line = '') => process.stdout.write(`${line}\n`)

const started = performance.now()
try {
  const service = await startService({
    home: TWOFOLD_HOME || '.twofold',
    port: portOf(PORT),
    apiKey: TWOFOLD_API_KEY,
    variables,
    log: (message) => process.stderr.write(`${message}\n`),
  })
  stopOn(['SIGTERM', 'SIGINT'], service.close)
  const key = TWOFOLD_API_KEY ? '$TWOFOLD_API_KEY' : service.key
  if (service.created) await tour(service, say)
  say(`Twofold keeps its data in ${TWOFOLD_HOME || '.twofold'} and started in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
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
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

function portOf(text: string | undefined): number {
  const port = Number(text || 8787)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new Error(`PORT is "${text}"; allowed is a whole number from 0 to 65535.`)
}

/** Finishes what runs, then goes; a second signal goes at once. */
function stopOn(signals: readonly NodeJS.Signals[], close: () => Promise<void>): void {
  for (const signal of signals) {
    process.once(signal, () => {
      for (const again of signals) process.on(again, () => process.exit(130))
      close().then(
        () => process.exit(0),
        (error) => {
          process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
          process.exit(1)
        },
      )
    })
  }
}
