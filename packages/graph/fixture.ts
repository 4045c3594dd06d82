import { createHash, randomUUID } from 'node:crypto'
import type { Log } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { testDatabase } from '@twofold/local/sql/fixture.ts'
import { connect, type Postgres } from '@twofold/postgres/connect.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'

export interface GraphDatabase {
  db: Postgres
  /** A fresh tenant with an admin key; the key's hash is what callers come with. */
  tenant(): Promise<{ tenant: string; keyHash: Buffer }>
  close(): Promise<void>
}

const quiet: Log = { info() {}, warn() {}, error() {} }

/** A migrated database of its own for one test file, reached as the service reaches it: over HTTP, as the unprivileged role. */
export async function graphDatabase(): Promise<GraphDatabase> {
  const migrations = await readMigrations()
  const { url, fetchEndpoint, close } = await testDatabase({
    key: JSON.stringify(migrations),
    prepare: async (database) => void (await migrate({ ownerUrl: database.url, fetchEndpoint: database.fetchEndpoint })),
  })
  const db = connect({
    url,
    fetchEndpoint,
    retry: { attempts: 3, delayMs: 1 },
    breaker: { failures: 5, recoveryMs: 1000 },
    timeoutMs: 20_000,
    now: () => new Date(),
    log: quiet,
  })
  return {
    db,
    async tenant() {
      const [tenant, keyId, keyHash] = [randomUUID(), randomUUID(), createHash('sha256').update(randomUUID()).digest()]
      await db.across([sql`select make_tenant(${tenant}::uuid, ${tenant}, ${keyId}::uuid, ${keyHash}::bytea, now())`])
      return { tenant, keyHash }
    },
    close,
  }
}
