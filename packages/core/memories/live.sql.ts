import { type Statement, sql } from '../sql.ts'

/** Of a memory `m`: its time has not come. */
export const unexpired = (now: string): Statement => sql`(m.expires_at is null or m.expires_at > ${now}::timestamptz)`

/** Of a readable memory `m`: neither deleted nor expired. */
export const live = (now: string): Statement => sql`(m.deleted_at is null and ${unexpired(now)})`
