import type { Caller } from '@twofold/operation/caller.ts'
import { z } from 'zod'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { Id, line } from '../memories/memory.ts'
import { announce, type InSession, type Written } from '../memories/remember.ts'
import { exactly, Name, subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { readWhere } from './read.ts'
import { called, type SessionAnswer, selectSession } from './session.ts'

const StateKey = z
  .string()
  .regex(
    /^(?:(?:temp|session|user|app):)?[^:/\p{Cc}\p{Cs}]{1,255}$/u,
    'must be 1 to 255 characters without ":", "/" or control characters, after temp:, session:, user:, app: or nothing',
  )
const State = z.record(StateKey, z.json()).superRefine((state, context) => {
  for (const key of Object.keys(state)) {
    if (Object.hasOwn(state, `session:${key}`)) context.addIssue({ code: 'custom', path: [key], message: `is the same as session:${key}` })
  }
})

export const SessionInput = z
  .strictObject({
    id: Id.optional(),
    appName: line(255),
    userId: Name.optional(),
    projectId: Id.optional(),
    state: State.optional(),
    metadata: z.record(z.string().max(255), z.json()).optional(),
  })
  .refine(({ id, userId }) => userId !== undefined || !id?.includes(':'), {
    path: ['id'],
    message: 'must not contain ":" without a userId: it is then a part of the namespace session:<id>',
  })
export type SessionInput = z.infer<typeof SessionInput>

/** Memories that were there before their session, which the graph is told of at once; the others follow. */
const MOST_NUDGED = 200

const byId = (id: string | null) => sql`s.tenant_id = current_tenant() and s.id = ${id}::uuid and visible(s.namespace)`

/**
 * Starts a session: its row, shown in the graph with what carries its id already. It belongs to its user, without one to
 * itself. Refuses `conflict` for a known id, `forbidden` for a user outside the grant.
 */
export async function startSession(
  deps: Deps,
  caller: Caller,
  input: SessionInput,
  { session }: InSession = {},
): Promise<Written<SessionAnswer>> {
  const now = deps.now().toISOString()
  const id = deps.id()
  const name = input.id ?? deps.id()
  const namespace = input.userId === undefined ? `session:${name}` : `user:${input.userId}`
  const subject = subjectOf(namespace)
  const carrying = sql`from memories m where m.tenant_id = current_tenant() and m.session_id = ${name} and m.subject = ${subject}`
  const statements: Statement[] = [
    ...claim(caller, [{ id }], now),
    sql`with made as (
          insert into sessions (tenant_id, id, name, namespace, app_name, user_id, project_id, status, state, metadata, created_at, updated_at)
          values (current_tenant(), ${id}::uuid, ${name}, ${namespace}, ${input.appName}, ${input.userId ?? null}, ${input.projectId ?? null}, 'created',
            ${JSON.stringify(input.state ?? {})}::jsonb, ${JSON.stringify(input.metadata ?? {})}::jsonb, ${now}::timestamptz, ${now}::timestamptz)
          on conflict (tenant_id, name) do nothing returning id)
        select refuse('conflict', 'A session with this id exists.') where not exists (select from made)`,
    sql`select audit('sessions.start', array[${id}::uuid], array[${namespace}::text], array[1], ${now}::timestamptz)`,
    ...(deps.settings.graphEnabled
      ? [
          sql`select owe('session', array[${id}::uuid], array[${subject}::text], ${now}::timestamptz)`,
          sql`select owe('memory', array_agg(m.id), array_agg(m.subject), ${now}::timestamptz) ${carrying} having count(*) > 0`,
        ]
      : []),
    sql`select m.id ${carrying} order by m.id desc limit ${MOST_NUDGED}::int`,
    selectSession(called(name)),
  ]
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, exactly(namespace), statements, {
      write: true,
      repeatable: caller.idempotency !== null,
    })
    const [carried, answer] = rows.slice(-2) as [{ id: string }[], SessionAnswer[]]
    await announce(deps, caller, authorized, [{ id, subject }, ...carried.map((memory) => ({ id: memory.id, subject }))], { session })
    return { answer: answer[0] as SessionAnswer, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await afterWriting(readWhere(deps, caller, byId(error.targets[0]?.id ?? null))), replayed: true }
  }
}
