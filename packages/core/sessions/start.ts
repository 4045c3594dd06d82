import type { Caller } from '@twofold/operation/caller.ts'
import { dotted } from '@twofold/operation/json.ts'
import * as z from 'zod-own'
import { Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { Id } from '../memories/fields.ts'
import { announce, type InSession, type Written } from '../memories/remember.ts'
import { exactly, Name, subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { readReplayed } from './read.ts'
import { called, type SessionAnswer, selectSession } from './session.ts'
import { partOf, refuseLarge, type Sent, State, shareState } from './state.ts'

export const SessionInput = z
  .strictObject({
    id: Id.refine((id) => !/^\.{1,2}$/.test(id), 'must not be "." or "..": no path leads there').optional(),
    appName: Name.regex(/\S/, 'must not be blank').meta({ description: 'Its `app:` state belongs to the namespace app:<appName>.' }),
    userId: Name.optional(),
    projectId: Id.optional(),
    state: State.optional(),
    metadata: z.record(z.string().max(255), z.json()).optional(),
  })
  .superRefine(({ id, userId, state = {} }, context) => {
    if (userId !== undefined) return
    const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (id?.includes(':')) issue(['id'], 'must not contain ":" without a userId: it is then a part of the namespace session:<id>')
    for (const key of Object.keys(partOf(state, 'user') ?? {})) issue(['state', key], 'needs a userId')
  })
export type SessionInput = z.infer<typeof SessionInput>

/** Memories that were there before their session, which the graph is told of at once; the others follow. */
const MOST_NUDGED = 200

const STATE: Sent = { path: 'state', of: (key) => dotted(['state', key]) }

/**
 * Starts a session: its row, shown in the graph with what carries its id already. It belongs to its user, without one to
 * itself. `user:` and `app:` keys of its state take the place of what is shared by then. Refuses `conflict` for a known id,
 * `forbidden` for a user, and for an app with state to share, outside the grant.
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
  const ranges = [namespace, ...(input.state && partOf(input.state, 'app') ? [`app:${input.appName}`] : [])].flatMap(exactly)
  const carrying = sql`from memories m where m.tenant_id = current_tenant() and m.session_id = ${name} and m.subject = ${subject}`
  const state = input.state ?? {}
  const made = called(name)
  const statements: Statement[] = [
    ...claim(caller, [{ id }], now),
    sql`with made as (
          insert into sessions (tenant_id, id, name, namespace, app_name, user_id, project_id, status, state, metadata, created_at, updated_at)
          values (current_tenant(), ${id}::uuid, ${name}, ${namespace}, ${input.appName}, ${input.userId ?? null}, ${input.projectId ?? null}, 'created',
            ${JSON.stringify(partOf(state, 'session') ?? {})}::jsonb, ${JSON.stringify(input.metadata ?? {})}::jsonb, ${now}::timestamptz, ${now}::timestamptz)
          on conflict (tenant_id, name) do nothing returning id)
        select refuse('conflict', 'A session with this id exists.') where not exists (select from made)`,
    refuseLarge(sql`s.state`, sql`sessions s where ${made}`, STATE),
    ...shareState(made, state, 'replace', STATE, now),
    sql`select audit('sessions.start', array[${id}::uuid], array[${namespace}::text], array[1], ${now}::timestamptz)`,
    ...(deps.settings.graphEnabled
      ? [
          sql`select owe('session', array[${id}::uuid], array[${subject}::text], ${now}::timestamptz)`,
          sql`select owe('memory', array_agg(m.id), array_agg(m.subject), ${now}::timestamptz) ${carrying} having count(*) > 0`,
        ]
      : []),
    sql`select m.id ${carrying} order by m.id desc limit ${MOST_NUDGED}::int`,
    selectSession(made),
  ]
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, ranges, statements, {
      write: true,
      repeatable: caller.idempotency !== null,
    })
    const [carried, answer] = rows.slice(-2) as [{ id: string }[], SessionAnswer[]]
    await announce(deps, caller, authorized, [{ id, subject }, ...carried.map((memory) => ({ id: memory.id, subject }))], { session })
    return { answer: answer[0] as SessionAnswer, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await readReplayed(deps, caller, error), replayed: true }
  }
}
