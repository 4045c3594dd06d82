import { cpus, loadavg } from 'node:os'
import { RUNS } from './property.ts'

/** A row of the table: what one start of the command did. */
export interface Stretch {
  operations: number
  last: number
  row: string
}

const COUNT = new Intl.NumberFormat('en')

interface Soaked {
  graph: string
  /** The first, and how many were done. */
  seed: number
  seeds: number
  /** Operations in one run. */
  length: number
  seconds: number
  failed: string | null
}

export function stretch({ graph, seed, seeds, length, seconds, failed }: Soaked): Stretch {
  const done = seeds * RUNS * length
  const last = seed + seeds - 1
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[2]?.toFixed(1)}`
  const cells = [
    ...[new Date().toISOString().slice(0, 10), graph, COUNT.format(done), `${seed} to ${last}`, length],
    ...[`${Math.round(seconds / 60)} min`, Math.round(done / seconds), machine, failed === null ? 'none' : '1'],
  ]
  return { operations: done, last, row: `| ${cells.join(' | ')} |` }
}

/** Those that a page has kept. */
export function stretchesOf(text: string): Stretch[] {
  return [...text.matchAll(/^\| \d{4}-.*$/gm)].map(([row]) => {
    const [, , done = '', seeds = ''] = row.split(' | ')
    return { operations: Number(done.replaceAll(',', '')), last: Number(seeds.split(' to ')[1]), row }
  })
}

/** The page. */
export function report(stretches: readonly Stretch[], failed: string | null): string {
  return `# The random soak

Made by \`npm run soak -- --write\`. What is done, what goes wrong and what must hold afterwards is said in [README.md](README.md).
The truth is in native Postgres. ${COUNT.format(stretches.reduce((sum, { operations }) => sum + operations, 0))} operations in all.

| date | graph | operations | seeds | in runs of | time | a second | machine | failures |
|---|---|---|---|---|---|---|---|---|
${stretches.map(({ row }) => row).join('\n')}
${failed === null ? '' : `\n\`\`\`\n${failed}\n\`\`\`\n`}`
}
