import pg from 'pg'
import { poolBackend, SESSION_SETTINGS, type SqlBackend } from './backend.ts'

/**
 * Any Postgres by URL: 20 to 100 connections, one to be had within a second, idle ones above 20 closed after 300 s.
 * Connects on first use.
 */
export function openPostgres({ url, log }: { url: string; log(message: string): void }): SqlBackend {
  const pool = new pg.Pool({
    connectionString: url,
    min: 20,
    max: 100,
    connectionTimeoutMillis: 1_000,
    idleTimeoutMillis: 300_000,
    onConnect: async (client) => void (await client.query(SESSION_SETTINGS)),
  })
  return poolBackend(pool, log)
}
