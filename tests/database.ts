import type { Database, Log } from '@twofold/core/ports.ts'
import { type Preparation, type TestEndpoint, testDatabase } from '@twofold/local/sql/fixture.ts'
import { type Connection, connect } from '@twofold/postgres/connect.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'

export const silent: Log = { info() {}, warn() {}, error() {} }

export interface MigratedDatabase extends TestEndpoint {
  owner: TestEndpoint
  db: Database
  close(): Promise<void>
}

const MODEL = 'embedded:minilm-l6-v2-fp16'

/** The whole schema on a database of its own, with the index of one embedding model, and a connection to it; with what `filling` puts into it, once for all that ask for the same. */
export async function migratedDatabase(options: Partial<Connection> = {}, filling?: Preparation): Promise<MigratedDatabase> {
  const migrations = await readMigrations()
  const schema: Preparation = {
    key: JSON.stringify([MODEL, migrations]),
    async prepare({ url, owner }) {
      await migrate({ ownerUrl: owner.url, fetchEndpoint: owner.fetchEndpoint, url })
      await ensureModel(owner, MODEL, 384)
    },
  }
  const database = await testDatabase(filling ? { ...filling, on: schema } : schema)
  const { url, fetchEndpoint, owner } = database
  const db = connect({ url, fetchEndpoint, ...connection, ...options })
  return { url, fetchEndpoint, owner, db, close: () => database.close() }
}

/** What a connection needs beside its place, as the service configures it. */
export const connection = {
  retry: { attempts: 3, delayMs: 5 },
  breaker: { failures: 5, recoveryMs: 30_000 },
  timeoutMs: 30_000,
  now: () => new Date('2026-03-01T12:00:00Z'),
  log: silent,
}
