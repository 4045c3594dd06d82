import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CALLS, eventOf, filesOfOperations, OPERATOR, type Scene, sceneOf } from '@twofold/functions/calls.fixture.ts'
import { world } from '@twofold/functions/fixture.ts'
import { MODELS } from '@twofold/functions/needs.ts'
import { operations } from '@twofold/functions/operations.ts'
import { bundles } from '../bundle.ts'
import { openClient } from '../runtime/client.ts'
import { type Bench, coldStarts, EMPTY, type First, warm } from './measure.ts'
import { type Kind, type Measured, report, tooSlow } from './report.ts'

// npm run cold: what Lambda waits for before a function takes its first event, and what the operation layer adds to each.

const USAGE = `npm run cold -- [--starts 20] [--events 1000] [--all] [--write]
  --starts  how often each function is started
  --events  how many events a warm function is given
  --all     every operation in place of the largest and the smallest of each kind
  --write   the figures into tests/cloud/cold/COLD.md`

const { values } = parseArgs({
  options: {
    starts: { type: 'string', default: '20' },
    events: { type: 'string', default: '1000' },
    all: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const [starts, events] = [Number(values.starts), Number(values.events)]
if (values.help || !(starts > 0) || !(events > 0)) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(values.help ? 0 : 1)
}

const client = await openClient()
const folder = await mkdtemp(join(tmpdir(), 'twofold-cold-'))
const here = await world({ TWOFOLD_OPERATOR_KEY: OPERATOR, NEO4J_URI: '' })
try {
  const { NEO4J_URI: _, ...variables } = here.variables
  const measured = await measure({ program: client.program, folder, variables }, await sceneOf(here))
  process.stdout.write(report(measured))
  if (values.write) await writeFile(new URL('COLD.md', import.meta.url), report(measured))
  const slow = tooSlow(measured)
  for (const line of slow) process.stderr.write(`${line}\n`)
  process.exitCode = slow.length > 0 ? 1 : 0
} finally {
  await here.close()
  await client.remove()
  await rm(folder, { recursive: true })
}

async function measure(bench: Bench, scene: Scene): Promise<Measured> {
  const kinds = await kindsOf()
  const sizes = await bundles([EMPTY, ...kinds.keys()])
  const ofKind = (kind: Kind) => sizes.filter(({ entry }) => kinds.get(entry) === kind).sort((a, b) => a.started - b.started)
  const ends = (kind: Kind) => [ofKind(kind)[0], ofKind(kind).at(-1)].flatMap((each) => each?.entry ?? [])
  const files = values.all ? [...kinds.keys()] : [...ends('plain'), ...ends('graph'), ...ends('model')]
  process.stderr.write(`starting ${files.length + 1} functions ${starts} times each\n`)
  const empty = { entry: EMPTY, event: eventOf({ method: 'get', path: '/' }, {}) }
  const cold = await coldStarts(bench, sizes, [empty, ...(await firstsOf(new Set(files), scene))], starts)
  process.stderr.write(`asking two warm functions ${events} times each\n`)
  return {
    date: new Date().toISOString().slice(0, 10),
    empty: cold.find(({ entry }) => entry === EMPTY)!,
    functions: cold.filter(({ entry }) => entry !== EMPTY).map((each) => ({ ...each, kind: kinds.get(each.entry) as Kind })),
    warm: await warm(bench, events),
  }
}

/** These functions with a good request of each; a conversation has to be there before it is asked for. */
async function firstsOf(files: ReadonlySet<string>, scene: Scene): Promise<First[]> {
  await scene.tenant.post(`/v1/conversations/${encodeURIComponent('Grüße 👋')}/turns`, { query: 'q', answer: 'a', userId: 'alice' })
  const all = [...(await filesOfOperations()).values()].map(({ file, operation }) => ({ entry: `functions/${file}`, operation }))
  return all
    .filter(({ entry }) => files.has(entry))
    .map(({ entry, operation }) => ({ entry, event: eventOf(operation, { key: scene.tenant.key, ...CALLS[operation.name]?.(scene) }) }))
}

/** What each operation needs, which is what its start may cost. */
async function kindsOf(): Promise<Map<string, Kind>> {
  const files = await filesOfOperations()
  return new Map(
    operations.map(({ name, needs }) => {
      const has = (...ports: string[]) => needs.some((part) => ports.includes(part.name))
      const kind: Kind = has('graph') ? 'graph' : has(...MODELS) ? 'model' : 'plain'
      return [`functions/${files.get(name)?.file}`, kind]
    }),
  )
}
