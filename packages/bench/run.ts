import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { clientOf } from './client.ts'
import { compare } from './compare.ts'
import { fill } from './fill.ts'
import { openFloor } from './floor/floor.ts'
import { modelled } from './model.ts'
import { type Measured, report } from './report.ts'
import { start } from './starts.ts'
import { versions } from './versions.ts'

const OTHERS: Record<string, () => Promise<{ run(args: string[]): Promise<number> }>> = {
  graph: () => import('./graph/run.ts'),
  consistency: () => import('./consistency/run.ts'),
  kept: () => import('./kept/run.ts'),
}
const other = OTHERS[process.argv[2] ?? '']
if (other) process.exit(await (await other()).run(process.argv.slice(3)))

const USAGE = `npm run bench -- [--sizes 1000,20000] [--json] [--out <file>] [--write]
  --sizes  how many memories, ascending; the default takes about a quarter of an hour
  --json   the figures as JSON in place of tables
  --out    into a file too
  --write  the tables into packages/bench/RESULTS.md
npm run bench -- graph [--help]  what it costs to write to the graph
npm run bench -- consistency [--help]  what it costs to know that both stores agree
npm run bench -- kept [--help]  what it costs to keep sessions, keys and their past`

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,20000' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const sizes = values.sizes.split(',').map(Number)
const ascending = sizes.every((size, i) => Number.isInteger(size) && size >= 100 && size > (sizes[i - 1] ?? 0))
if (values.help || !ascending) {
  process.stderr.write(`${ascending ? '' : '--sizes must be ascending whole numbers from 100\n'}${USAGE}\n`)
  process.exit(ascending ? 0 : 1)
}

const say = (line: string) => process.stderr.write(`${line}\n`)
const home = await mkdtemp(join(tmpdir(), 'twofold-bench-'))
try {
  const measured = await measure(home)
  const text = values.json ? `${JSON.stringify(measured, null, 2)}\n` : report(measured)
  process.stdout.write(text)
  if (values.out) await writeFile(values.out, text)
  if (values.write) await writeFile(new URL('RESULTS.md', import.meta.url), report(measured))
} finally {
  await rm(home, { recursive: true, force: true })
}

async function measure(home: string): Promise<Measured> {
  say('first start')
  const { running, ...first } = await start(home)
  const client = clientOf(running)
  const done: Measured['sizes'] = []
  let model: Measured['model']
  let software: Awaited<ReturnType<typeof versions>>
  try {
    software = await versions(running.database)
    const floor = await openFloor(running.database)
    for (const size of sizes) {
      say(`filling up to ${size}`)
      const filled = await fill(client, floor, done.at(-1)?.size ?? 0, size)
      say(`measuring at ${size}`)
      done.push({ size, filled, ...(await compare(client, floor, size)), resident: await client.resident() })
    }
    say('measuring the models')
    model = await modelled(client)
  } finally {
    await running.stop()
  }
  say('warm start')
  const { running: again, ...warm } = await start(home)
  await again.stop()
  const [cpu] = cpus()
  const machine = {
    cores: cpus().length,
    load: Math.round((loadavg()[2] as number) * 10) / 10,
    cpu: cpu?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.versions.node,
    ...software,
  }
  return { date: new Date().toISOString().slice(0, 10), machine, first, warm, sizes: done, model }
}
