import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { type Statement, sql } from '../sql.ts'

export const STATUSES = ['created', 'active', 'paused', 'terminated', 'archived'] as const
export const Status = z.enum(STATUSES)
export type Status = z.infer<typeof Status>

/** In which things may still happen in it. */
export const RUNNING: readonly Status[] = ['created', 'active', 'paused']

export const Session = z
  .object({
    id: z.string(),
    appName: z.string(),
    userId: z.string().nullable(),
    projectId: z.string().nullable(),
    status: Status,
    state: z.record(z.string(), z.json()),
    metadata: z.record(z.string(), z.json()),
    eventCount: z.number(),
    version: z.number(),
    createdAt: z.string(),
    updatedAt: z.string(),
    terminatedAt: z.string().nullable(),
    archivedAt: z.string().nullable(),
  })
  .meta({ id: 'Session' })
export type Session = z.infer<typeof Session>

export const SessionAnswer = z.object({ session: Session })
export type SessionAnswer = z.infer<typeof SessionAnswer>

export const noSession = () => new Refusal('not_found', 'There is no such session.')

/** A session `s` by the caller's own id, as far as he may see it. */
export const called = (name: string): Statement => sql`s.tenant_id = current_tenant() and s.name = ${name} and visible(s.namespace)`

/** The same by the id that it has itself, which a later session of the same name does not have. */
export const identified = (id: string | null): Statement =>
  sql`s.tenant_id = current_tenant() and s.id = ${id}::uuid and visible(s.namespace)`

export const selectSession = (where: Statement): Statement<SessionAnswer> => sql<SessionAnswer>`
  select session_json(s) as session from sessions s where ${where}`

/** How a session goes on from here, in an `update … set`. */
export const nextVersion = (now: string): Statement => sql`version = s.version + 1, updated_at = ${laterThan(now)}`

/** The time of a change of `s`: now, and later than the change before. */
export const laterThan = (now: string): Statement => sql`greatest(${now}::timestamptz, s.updated_at + interval '1 ms')`
