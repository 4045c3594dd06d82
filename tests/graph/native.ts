import { randomBytes } from 'node:crypto'
import { listen } from '@twofold/local/http/listen.ts'
import { sqlEndpoint } from '@twofold/local/sql/endpoint.ts'
import { openPostgres } from '@twofold/local/sql/postgres.ts'
import { connect } from '@twofold/postgres/connect.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate } from '@twofold/postgres/migrate.ts'
import pg from 'pg'
import { connection, type MigratedDatabase } from '../database.ts'

/** The whole schema in a database of its own on a native Postgres, where transactions really run at the same time. */
export async function nativeDatabase(server: string): Promise<MigratedDatabase> {
  const name = `graph_${randomBytes(6).toString('hex')}`
  const admin = new pg.Client({ connectionString: server })
  await admin.connect()
  await admin.query(`create database ${name}`)
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href
  const backend = openPostgres({ url, log: console.error })
  const http = await listen({ sql: sqlEndpoint({ backend, connectionString: url }) }, { log: console.error })
  const fetchEndpoint = `${http.url}/sql`
  await migrate({ ownerUrl: url, fetchEndpoint })
  await ensureModel({ url, fetchEndpoint }, 'embedded:minilm-l6-v2-fp16', 384)
  return {
    url,
    fetchEndpoint,
    db: connect({ url, fetchEndpoint, ...connection, retry: { attempts: 10, delayMs: 2 } }),
    async close() {
      await http.close()
      await backend.close()
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}
