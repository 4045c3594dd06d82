import pg from 'pg'
import { poolBackend, SESSION_SETTINGS, type SqlBackend } from './backend.ts'

/**
 * Any Postgres by URL: 20 to 100 connections, one to be had within a second, idle ones above 20 closed after 300 s.
 * Connects on first use. The owner's are fewer (`most`): schedules, the queue and migrations.
 */
export function openPostgres({ url, most = 100, log }: { url: string; most?: number; log(message: string): void }): SqlBackend {
  const pool = new pg.Pool({
    connectionString: url,
    min: Math.min(20, most),
    max: most,
    connectionTimeoutMillis: 1_000,
    idleTimeoutMillis: 300_000,
    onConnect: async (client) => void (await client.query(SESSION_SETTINGS)),
  })
  return poolBackend(pool, log)
}
