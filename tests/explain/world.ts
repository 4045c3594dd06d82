import { randomUUID } from 'node:crypto'
import type { Database, Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { filling, keyOf, TENANT } from './fill.ts'
import { type Watched, watched } from './plan.ts'

/** Half of the tenant is one large subject; what else there is are people with a hundred memories each. */
const SIZES = { embedded: { large: 3_000, people: 20 }, native: { large: 60_000, people: 400 } }

export interface World extends Filled {
  /** Whoever has a key with this grant. */
  caller(grant?: Grant): Caller
  /** Of `user:u7`, with a key. */
  memory: { id: string; namespace: string; key: string }
  /** Of the large subject. */
  entity: { id: string }
  /** Of the large subject, and open. */
  commitment: { id: string }
}

/** A hundred thousand rows are written in two minutes where nothing else runs, in five where much does. */
export const FILLING_MS = 900_000

export const GRANTS = ['*', 'user:u7'] as const
export type Grant = (typeof GRANTS)[number]

/** Whoever has a key with this grant. */
export const caller = (grant: Grant = '*'): Caller => ({
  keyHash: keyOf(grant),
  scope: null,
  operation: 'test',
  requestId: randomUUID(),
  onBehalfOf: null,
  idempotency: null,
  requestHash: Buffer.alloc(32),
  ifMatch: null,
  timings: new Timings(),
  signal: AbortSignal.timeout(60_000),
})

export interface Filled extends Pick<Watched, 'during'> {
  /** The database without anybody watching. */
  inner: Database
  deps: Deps
  close(): Promise<void>
}

/** The service's own parts on a database that `fill` has filled, at a fixed time. */
export async function onFilled(fill: (database: MigratedDatabase) => Promise<unknown>): Promise<Filled> {
  const database = await migratedDatabase()
  await fill(database)
  return over(database)
}

async function over(database: MigratedDatabase): Promise<Filled> {
  const { db, during } = watched(database.db)
  const env = readEnv({ DATABASE_URL: database.url, DATABASE_HTTP_URL: database.fetchEndpoint, LOG_LEVEL: 'silent' })
  const now = () => new Date('2026-03-01T12:00:00Z')
  const composed = await compose(env, { db, now, graph: postgresGraph({ db, now }) })
  return {
    deps: composed.deps,
    inner: database.db,
    during,
    async close() {
      await composed.close()
      await database.close()
    },
  }
}

/**
 * The same of 100,000 memories on the Postgres server that TEST_DATABASE_URL names (two minutes for the first that asks),
 * else 5,000 in the embedded one (20 seconds).
 */
export async function world(): Promise<World> {
  const { large, people } = process.env.TEST_DATABASE_URL ? SIZES.native : SIZES.embedded
  const each = Object.fromEntries(Array.from({ length: people }, (_, i) => [`user:u${i}`, 100]))
  const filled = await over(await migratedDatabase({}, filling({ subjects: { 'user:large': large, ...each }, grants: GRANTS, others: 20 })))
  // A search whose vector is late asks no index of vectors; the model is loaded by the first who needs it.
  await filled.deps.embedder.embed(['warm'], { signal: AbortSignal.timeout(60_000), priority: 'background' })
  const [[memory], [entity], [commitment]] = await filled.inner.asTenant(TENANT, [
    sql<
      World['memory']
    >`select m.id, m.namespace, m.key from readable_memories m where m.subject = 'user:u7' and m.key is not null order by m.id limit 1`,
    sql<World['entity']>`select id from entities where subject = 'user:large' and value = 'Name 7'`,
    sql<World['commitment']>`select id from memories where subject = 'user:large' and status = 'open' and pending_until is null limit 1`,
  ])
  return {
    ...filled,
    memory: memory as World['memory'],
    entity: entity as World['entity'],
    commitment: commitment as World['commitment'],
    caller,
  }
}
