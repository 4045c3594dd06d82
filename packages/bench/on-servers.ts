import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Deps } from '@twofold/core/ports.ts'
import { raw } from '@twofold/core/sql.ts'
import type { Claim } from './claims.ts'
import type { Witness } from './graph/witness.ts'

interface Bench<Servers, Measured> {
  /** As JSON in place of tables. */
  json: boolean
  /** Keep the tables in the page of this name. */
  write: boolean
  page: string
  /** Their data lies in the folder. */
  open(folder: string): Promise<Servers>
  measure(servers: Servers, folder: string): Promise<Measured>
  report(measured: Measured): string
  claims(measured: Measured): readonly Claim[]
}

/** Measures on servers of its own, which end with it. Answers how many of the claims do not hold. */
export async function onServers<Servers extends { close(): Promise<unknown> }, Measured>(bench: Bench<Servers, Measured>): Promise<number> {
  const { json, write, page, open, measure, report, claims } = bench
  const folder = await mkdtemp(join(tmpdir(), 'twofold-bench-'))
  try {
    const servers = await open(folder)
    // They run on by themselves otherwise.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => servers.close().finally(() => process.exit(130)))
    try {
      const measured = await measure(servers, folder)
      process.stdout.write(json ? `${JSON.stringify(measured, null, 2)}\n` : report(measured))
      if (write) await writeFile(new URL(page, import.meta.url), report(measured))
      return claims(measured).filter(({ holds }) => !holds).length
    } finally {
      await servers.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** The load average of the last minute. */
export const load1 = (): number => Math.round((loadavg()[0] as number) * 10) / 10

export interface Hardware {
  cores: number
  cpu: string
  memoryGb: number
  node: string
}

/** What was measured on. */
export const hardware = (): Hardware => ({
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGb: Math.round(totalmem() / 1e9),
  node: process.versions.node,
})

export interface Machine extends Hardware {
  neo4j: string
  postgres: string
}

/** The same with both stores. */
export async function machineOf({ db }: Pick<Deps, 'db'>, witness: Witness): Promise<Machine> {
  const [[version]] = (await db.across([raw(`select current_setting('server_version') as version`)])) as [[{ version: string }]]
  return { ...hardware(), neo4j: await witness.version(), postgres: version.version }
}
