import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { SyncAnswer } from '@twofold/core/consistency/answer.ts'
import { caller } from './call.ts'

const OPERATIONS = ['check', 'repair', 'full', 'rebuild']
const USAGE = `npm run sync -- check | repair | full | rebuild
  --user <id>        only what is about this user
  --prefix <path>    only in this namespace and below, such as user:alice:work
  --deep             make every digest anew, so that what was changed by hand is found too
  --dry-run          change nothing and say what would be done
  --adopt            take entities and edges made by hand into Postgres instead of removing them
  --keep             rebuild only what is missing
  --limit <n>        inconsistencies listed (100)
  --run <id>         follow a run that is under way; with --stop, stop it
  --stop
  --json             the last answer alone, as JSON
  --url <address>    of the service (TWOFOLD_URL, else http://127.0.0.1:PORT)
The key is TWOFOLD_API_KEY, else the one in TWOFOLD_HOME. Ends with 0 when both stores agree, 1 when they do not, 2 when it cannot tell.`

const LOOK_MS = 500
const BAR = 24

const out = (text: string) => process.stdout.write(text)
const fail = (message: string): never => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const options = {
  user: { type: 'string' },
  prefix: { type: 'string' },
  limit: { type: 'string' },
  run: { type: 'string' },
  url: { type: 'string' },
  deep: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  adopt: { type: 'boolean' },
  keep: { type: 'boolean' },
  stop: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

function given() {
  try {
    return parseArgs({ allowPositionals: true, options })
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${USAGE}`)
  }
}

const { positionals, values } = given()
const [operation] = positionals
if (values.help) {
  out(`${USAGE}\n`)
  process.exit(0)
}
if (!values.run && (positionals.length !== 1 || !OPERATIONS.includes(operation as string)))
  fail(
    `${operation === undefined ? 'Nothing to do was named' : `"${positionals.join(' ')}" is none of ${OPERATIONS.join(', ')}`}.\n\n${USAGE}`,
  )

const { PORT, TWOFOLD_HOME, TWOFOLD_API_KEY, TWOFOLD_URL } = process.env
const url = values.url ?? (TWOFOLD_URL || `http://127.0.0.1:${PORT || 8787}`)
const kept = join(TWOFOLD_HOME || '.twofold', 'key')
const key =
  TWOFOLD_API_KEY ||
  (existsSync(kept) ? readFileSync(kept, 'utf8').trim() : fail(`TWOFOLD_API_KEY is not set, and there is no key in ${kept}.`))
const call = caller(url, key)
let phase: string | null = null
const path = (run: string) => `/api/persistence/sync/${run}`

try {
  let answer = await begin()
  // Whoever watches may go; the run goes on. A second look asks the service, not this process.
  for (show(answer); !answer.done; show(answer)) {
    await sleep(LOOK_MS)
    answer = await call<SyncAnswer>('GET', path(answer.runId))
  }
  if (!values.json && process.stdout.isTTY) out('\n')
  out(values.json ? `${JSON.stringify(answer, null, 2)}\n` : summary(answer))
  const { inconsistencies, failed } = answer.result
  const agree = answer.operation === 'check' || values['dry-run'] ? inconsistencies.length === 0 : failed === 0
  process.exitCode = answer.status === 'failed' || answer.status === 'stopped' ? 2 : agree ? 0 : 1
} catch (error) {
  const away = error instanceof TypeError && error.message === 'fetch failed'
  fail(
    away
      ? `No service answers at ${url}. It is started by npm start; another address is named by --url or TWOFOLD_URL.`
      : (error as Error).message,
  )
}

function begin(): Promise<SyncAnswer> {
  if (values.run) return call<SyncAnswer>(values.stop ? 'DELETE' : 'GET', path(values.run))
  const { user: userId, prefix: namespacePrefix, deep, adopt } = values
  const limit = values.limit === undefined ? undefined : Number(values.limit)
  const clearExisting = values.keep ? false : undefined
  return call<SyncAnswer>('POST', '/api/persistence/sync', {
    operation,
    userId,
    namespacePrefix,
    deep,
    adopt,
    limit,
    clearExisting,
    dryRun: values['dry-run'],
  })
}

/** On a terminal one line that is written over, elsewhere a line for each phase. */
function show({ progress, runId }: SyncAnswer): void {
  if (values.json) return
  const { done, total, rate, timeLeftMs } = progress
  const full = total === 0 ? BAR : Math.min(BAR, Math.round((done / total) * BAR))
  const left = timeLeftMs ? `, ${Math.ceil(timeLeftMs / 1000)} s left` : ''
  const line = `${(progress.phase ?? 'begins').padEnd(9)} ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${done} of ${total}, ${Math.round(rate)} a second${left}`
  if (process.stdout.isTTY) out(`${phase !== null && phase !== progress.phase ? '\n' : ''}\r\x1b[2K${line}`)
  else if (phase !== progress.phase) out(`${progress.phase ?? 'begins'} (run ${runId})\n`)
  phase = progress.phase
}

function summary({ operation, status, runId, failure, result }: SyncAnswer): string {
  const { totalChecked, inconsistencies, repaired, failed, owed, duration } = result
  const lines = inconsistencies.map(
    ({ kind, what, id, remedy }) => `  ${kind.padEnd(14)} ${what.padEnd(12)} ${id ?? '(no id)'}  → ${remedy}`,
  )
  const counts = [
    `${totalChecked} memories checked`,
    `${inconsistencies.length} inconsistencies listed`,
    `${repaired} repaired`,
    `${failed} failed`,
    `${owed} on their way`,
  ]
  return [
    `${operation}: ${status} after ${(duration / 1000).toFixed(1)} s (run ${runId})`,
    ...(failure ? [`  ${failure}`] : []),
    `  ${counts.join(', ')}`,
    ...lines,
    '',
  ].join('\n')
}
