import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { raw } from '@twofold/core/sql.ts'
import { sender } from '@twofold/postgres/endpoint.ts'
import { openPostgres } from '@twofold/servers/servers.ts'
import { launch, type Running } from '../launch.ts'
import { hardware, load1, onServers, say } from '../on-servers.ts'
import { asking } from './ask.ts'
import { crowd } from './crowd.ts'
import { growth } from './growth.ts'
import { mission } from './mission.ts'
import { claims, type Measured, report } from './report.ts'

const USAGE = `npm run bench -- kept [--json] [--write]
  --json   the figures as JSON in place of tables
  --write  the tables into packages/bench/KEPT.md`

const FEW = 50
const MANY = 1000
const TURNS = 3
const LARGE = { events: 100_000, versions: 1_000, memories: 100_000 }

/** Measures sessions, keys and lists over HTTP on a native Postgres of its own. Answers how many of the claims do not hold. */
export async function run(args: string[]): Promise<number> {
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({ args, options: { json: flag, write: flag, help: flag } })
  if (values.help) {
    process.stderr.write(`${USAGE}\n`)
    return 0
  }
  return onServers({
    ...{ json: values.json, write: values.write, page: 'KEPT.md' },
    async open(folder) {
      const postgres = await openPostgres({ folder: join(folder, 'postgres'), durable: true })
      return { url: postgres.url, close: () => postgres.stop() }
    },
    async measure({ url }, folder) {
      const service = await launch(join(folder, 'home'), { DATABASE_URL: url, LOG_LEVEL: 'warn' })
      try {
        return await measure(service)
      } finally {
        await service.stop()
      }
    },
    ...{ report, claims },
  })
}

async function measure(service: Running): Promise<Measured> {
  const before = load1()
  const ask = asking(service)
  say('one request after another')
  const aims = await mission(ask)
  const crowds: Measured['crowds'] = { few: [], many: [] }
  await crowd(ask, FEW, 'warm')
  for (let turn = 0; turn < TURNS; turn++) {
    say(`${FEW} and ${MANY} sessions, ${turn + 1} of ${TURNS}`)
    crowds.many.push(await crowd(ask, MANY, `many-${turn}`))
    // As many events in all, so that both meet the same machine.
    for (let n = 0; n < MANY / FEW / 4; n++) crowds.few.push(await crowd(ask, FEW, `few-${turn}-${n}`))
  }
  say('small and large')
  const grown = await growth(ask, LARGE)
  const [[row]] = (await sender(service.database)(
    [raw(`select current_setting('server_version') as version`)],
    new AbortController().signal,
  )) as [[{ version: string }]]
  const machine = { ...hardware(), postgres: row.version, load: [before, load1()] as [number, number] }
  return { date: new Date().toISOString().slice(0, 10), machine, aims, crowds, grown }
}
