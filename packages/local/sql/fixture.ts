import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { listen } from '../http/listen.ts'
import { direct, type Sql } from './direct.ts'
import { sqlEndpoint } from './endpoint.ts'
import { nativeDatabase } from './native.fixture.ts'
import { openPglite } from './pglite.ts'

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/twofold/', import.meta.url))

export interface TestEndpoint {
  /** The connection string, the credential of `fetchEndpoint`. */
  url: string
  /** For `neonConfig.fetchEndpoint`. */
  fetchEndpoint: string
}

/** What the service connects to; in the embedded database that is its owner too, in a native one it owns nothing. */
export interface TestDatabase extends TestEndpoint {
  owner: TestEndpoint
  /** As the owner, without the way over HTTP. */
  sql: Sql
  close(): Promise<void>
}

export interface Preparation {
  /** All that `prepare` depends on (the text of the migrations); a changed key prepares anew. */
  key: string
  /** What is in it before, kept as well; else it is empty. */
  on?: Preparation
  prepare(database: Pick<TestDatabase, 'url' | 'fetchEndpoint' | 'owner'>): Promise<void>
}

/**
 * A database behind `/sql` for one test file: in memory, or on the native Postgres that TEST_DATABASE_URL names. What
 * `prepare` leaves is kept as a template, in node_modules/.cache or on the server, so only the first test file of the
 * first run pays for it.
 */
export async function testDatabase(preparation?: Preparation): Promise<TestDatabase> {
  const server = process.env.TEST_DATABASE_URL
  if (server) return nativeDatabase(server, preparation)
  return open(await template(preparation))
}

/** An empty database, for `openPglite`. */
export const emptyTemplate = (): Promise<Uint8Array<ArrayBuffer>> => template()

/** What a template of this preparation is called. */
export const nameOf = ({ key, on }: Preparation): string =>
  createHash('sha256')
    .update(on ? `${nameOf(on)} ${key}` : key)
    .digest('hex')
    .slice(0, 16)

async function open(data: Uint8Array<ArrayBuffer> | undefined): Promise<TestDatabase & { dump(): Promise<Uint8Array<ArrayBuffer>> }> {
  const url = 'postgresql://owner:test@localhost/twofold'
  const backend = await openPglite({ ...(data ? { template: data } : {}), log: console.error })
  const server = await listen({ sql: sqlEndpoint({ backend, connectionString: url }) }, { log: console.error })
  const endpoint = { url, fetchEndpoint: `${server.url}/sql` }
  return {
    ...endpoint,
    owner: endpoint,
    sql: direct(backend),
    dump: () => backend.dump(),
    async close() {
      await server.close()
      await backend.close()
    },
  }
}

/** Several test processes may make the same template at once; each renames a whole file into place. */
async function template(preparation?: Preparation): Promise<Uint8Array<ArrayBuffer>> {
  const path = `${CACHE}pglite-0.5.14-${preparation ? nameOf(preparation) : 'empty'}.tar`
  const cached = await readFile(path).catch(() => null)
  if (cached) return new Uint8Array(cached)
  const database = await open(preparation && (await template(preparation.on)))
  try {
    await preparation?.prepare(database)
    const dump = await database.dump()
    await mkdir(CACHE, { recursive: true })
    const temporary = `${path}.${process.pid}.${Date.now()}`
    await writeFile(temporary, dump)
    await rename(temporary, path)
    return dump
  } finally {
    await database.close()
  }
}
