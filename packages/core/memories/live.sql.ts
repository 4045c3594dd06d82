import { type Statement, sql } from '../sql.ts'

/** Of a memory `m`: its time has not come, neither its own nor that of its namespace's policy. */
export const unexpired = (now: string): Statement => sql`(m.ends_at is null or m.ends_at > ${now}::timestamptz)`

/** Of a readable memory `m`: neither deleted nor expired. */
export const live = (now: string): Statement => sql`(m.deleted_at is null and ${unexpired(now)})`

/** Of the last version `v` that was made until then: none that has been squashed had taken its place. */
export const currentAt = (asOf: string): Statement => sql`(v.ended_at is null or v.ended_at > ${asOf}::timestamptz)`
