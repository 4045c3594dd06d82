import { realGraph } from '@twofold/graph/neo4j/real.fixture.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { sqlEndpoint } from '@twofold/local/sql/endpoint.ts'
import { openPostgres } from '@twofold/local/sql/postgres.ts'
import { connect } from '@twofold/postgres/connect.ts'
import { connection, migratedDatabase } from '../database.ts'
import { Clock, type Stores } from './clock.ts'

/** Where runs take place, one after the other, each by a clock of its own. */
export interface Place {
  storesOf(clock: Clock): Stores
  close(): Promise<void>
}

/** The truth in the embedded database, or a native Postgres by TEST_DATABASE_URL; the graph in tables beside it. */
export async function inTables(): Promise<Place> {
  const { db, close } = await openDatabase()
  return { storesOf: ({ now }) => ({ db, graph: postgresGraph({ db, now }) }), close }
}

/** The graph in the Neo4j that the tests are given. */
export async function inNeo4j(): Promise<Place> {
  const { db, close } = await openDatabase()
  let clock = new Clock()
  const graph = realGraph({ now: () => clock.now() })
  return {
    storesOf(own) {
      clock = own
      return { db, graph }
    },
    async close() {
      await graph.close()
      await close()
    },
  }
}

async function openDatabase() {
  const migrated = await migratedDatabase({ retry: RETRY })
  if (!process.env.TEST_DATABASE_URL) return migrated
  const { url } = migrated
  const backend = openPostgres({ url, most: 5, log: () => undefined })
  return {
    db: connect({ ...connection, url, fetch: handing(sqlEndpoint({ backend, connectionString: url })), retry: RETRY }),
    async close() {
      await backend.close()
      await migrated.close()
    },
  }
}

const RETRY = { attempts: 10, delayMs: 2 }

/** Hands requests over without a socket, which takes most of the time of so short ones. */
function handing(endpoint: ReturnType<typeof sqlEndpoint>): typeof fetch {
  return async (_, { headers, body, signal } = {}) => {
    const given = new Headers(headers)
    const { status, body: answer } = await endpoint.handle({
      ...{ method: 'POST', path: '/sql', body: Buffer.from(body as string) },
      header: (name) => given.get(name) ?? '',
      signal: signal ?? new AbortController().signal,
    })
    return new Response(answer, { status })
  }
}
