import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { takeLock } from '../lock.ts'
import { poolBackend, SESSION_SETTINGS, type SqlBackend } from './backend.ts'
import { PgliteSocket } from './pglite-socket.ts'
import { startUpkeep } from './upkeep.ts'

/** What this PGlite is; a store of another Postgres cannot be opened by it. */
const POSTGRES_MAJOR = '18'

export interface PgliteOptions {
  /** Keeps the store on disk, held by one process at a time; without it the database is in memory. */
  folder?: string
  /** A dumped store to begin with, instead of an empty one that takes seconds to make. */
  template?: Uint8Array<ArrayBuffer>
  log(message: string): void
}

export interface PgliteBackend extends SqlBackend {
  /** Whether the store was made just now. */
  created: boolean
  /** How long it took to open, in milliseconds. */
  openedMs: number
  /** The store as an uncompressed tar, for `template`. */
  dump(): Promise<Uint8Array<ArrayBuffer>>
}

/**
 * Opens PGlite with pgvector in a worker thread. It is one session: statements queue in the order they came.
 * What was acknowledged survives the death of the process, not that of the machine: PGlite hands each commit to the
 * operating system and never calls fsync. Throws `LockedError`, or an error naming both versions for a store of
 * another Postgres.
 */
export async function openPglite({ folder, template, log }: PgliteOptions): Promise<PgliteBackend> {
  const start = performance.now()
  const store = folder === undefined ? memory() : openFolder(folder)
  let socket: PgliteSocket | undefined
  const pool = new pg.Pool({
    max: 1,
    idleTimeoutMillis: 0,
    user: 'postgres',
    database: 'postgres',
    stream: () => {
      socket = new PgliteSocket({ ...store.data, template })
      return socket as never
    },
    onConnect: async (client) => void (await client.query(SESSION_SETTINGS)),
  })
  const close = async () => {
    const closed = socket && !socket.closed ? once(socket, 'close') : undefined
    await pool.end()
    await closed
    store.release()
  }
  try {
    const client = await pool.connect()
    const version = await client.query<{ version: string }>('select version()')
    client.release()
    store.opened(version.rows[0]?.version ?? '')
  } catch (error) {
    await close()
    throw error
  }
  const backend = poolBackend(pool, log)
  const stopUpkeep = startUpkeep(backend, log)
  return {
    ...backend,
    created: store.created,
    openedMs: performance.now() - start,
    dump: () => (socket as PgliteSocket).dump(),
    async close() {
      await stopUpkeep()
      await close()
    },
  }
}

const memory = () => ({ data: {}, created: true, opened: () => undefined, release: () => undefined })

function openFolder(folder: string) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const release = takeLock(join(folder, 'lock'))
  const dataDir = join(folder, 'data')
  const versionFile = join(folder, 'version.txt')
  const created = !existsSync(dataDir)
  const major = created ? POSTGRES_MAJOR : readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim()
  if (major !== POSTGRES_MAJOR) {
    release()
    const wrote = existsSync(versionFile) ? readFileSync(versionFile, 'utf8').trim() : `PostgreSQL ${major}`
    throw new Error(
      `The store in ${folder} was written by Postgres ${major} (${wrote}) and this is Postgres ${POSTGRES_MAJOR}, which cannot open it. ` +
        'Start the version that wrote it, or begin with an empty folder.',
    )
  }
  return { data: { dataDir }, created, release, opened: (version: string) => writeFileSync(versionFile, `${version}\n`) }
}
