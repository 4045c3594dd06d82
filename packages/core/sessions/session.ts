import { Refusal } from '@twofold/operation/refusal.ts'
import { z } from 'zod'
import { type Statement, sql } from '../sql.ts'

export const Session = z
  .object({
    id: z.string(),
    appName: z.string(),
    userId: z.string().nullable(),
    projectId: z.string().nullable(),
    status: z.enum(['created', 'active', 'paused', 'terminated', 'archived']),
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

export const selectSession = (where: Statement): Statement<SessionAnswer> => sql<SessionAnswer>`
  select session_json(s) as session from sessions s where ${where}`
