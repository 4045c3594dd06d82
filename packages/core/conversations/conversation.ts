import { invalid } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { Content, MAX_CONTENT, Moment } from '../memories/fields.ts'
import { Remembered } from '../memories/memory.ts'
import { Name } from '../namespaces/namespace.ts'
import { type Statement, sql } from '../sql.ts'

export const Turn = z
  .object({
    id: z.string(),
    conversationId: z.string(),
    query: z.string(),
    answer: z.string(),
    timestamp: z.string(),
    expiresAt: z.string(),
    memoryId: z.string().nullable().meta({ description: 'The memory that was made of it.' }),
  })
  .meta({ id: 'Turn' })
export type Turn = z.infer<typeof Turn>

/** With `remember`, the memory and where it stands, as `memories.add` answers it. */
export const TurnAnswer = z.object({ turn: Turn, ...Remembered.partial().shape })
export type TurnAnswer = z.infer<typeof TurnAnswer>

export const Conversation = z
  .object({
    id: z.string(),
    userId: z.string().nullable(),
    historyLength: z.number().meta({ description: 'Turns that have not expired.' }),
    ttlHours: z.number().meta({ description: 'How long a turn lives that does not say itself.' }),
    createdAt: z.string(),
    lastUpdated: z.string(),
    expiresAt: z.string().meta({ description: 'When the last of its turns expires.' }),
  })
  .meta({ id: 'Conversation' })
export type Conversation = z.infer<typeof Conversation>

/** Ten years. */
const TtlHours = z.number().positive().max(87_600)

export const TurnInput = z
  .strictObject({
    query: Content,
    answer: Content,
    timestamp: Moment.optional().meta({ description: 'When it was said; now unless told. Its time to live counts from then.' }),
    userId: Name.optional().meta({ description: 'Whom the conversation belongs to, said when it begins; without, it belongs to itself.' }),
    ttlHours: TtlHours.optional().meta({
      description: 'How long this turn lives. Without it as long as its conversation says, and where that says nothing MEMORY_TTL_HOURS.',
    }),
    conversationTtlHours: TtlHours.optional().meta({
      description: 'How long turns of this conversation live that do not say themselves, from this one on.',
    }),
    remember: z.boolean().optional().meta({ description: 'Make a memory of it too, which stays when the turn goes: both or none.' }),
  })
  .refine(({ query, answer, remember }) => !remember || query.length + answer.length < MAX_CONTENT, {
    path: ['answer'],
    message: `must have less than ${MAX_CONTENT} characters together with query to be remembered`,
  })
export type TurnInput = z.infer<typeof TurnInput>

/** A conversation `c` by the caller's own id, as far as he may see it. One whose turns have all expired is none. */
export const called = (name: string, now: string): Statement =>
  sql`c.tenant_id = current_tenant() and c.name = ${name} and ${lasting(now)} and visible(c.namespace)`

export const lasting = (now: string): Statement => sql`c.expires_at > ${now}::timestamptz`

/** Where a conversation belongs that has no user. */
export const ownPlace = (id: string): string => `session:${id}`

export const ambiguous = (): Error =>
  invalid([{ path: 'userId', message: 'is required where the id contains ":", which is otherwise a part of the namespace session:<id>' }])

/** Where it lies and what it is known by inside, for the audit; no answer shows it. */
export interface Inside {
  namespace: string
  key: string
}

export const selectConversations = (
  where: Statement,
  { now, ttlHours, order = sql`c.id desc`, most = 1 }: { now: string; ttlHours: number; order?: Statement; most?: number },
): Statement<Conversation & Inside> => sql<Conversation & Inside>`
  select c.id as key, c.namespace, c.name as id, c.user_id as "userId", coalesce(c.ttl_hours, ${ttlHours}::float8) as "ttlHours",
    (select count(*) from turns u where u.tenant_id = c.tenant_id and u.conversation_id = c.id and u.expires_at > ${now}::timestamptz)::int as "historyLength",
    iso(c.created_at) as "createdAt", iso(c.updated_at) as "lastUpdated", iso(c.expires_at) as "expiresAt"
  from conversations c where ${where} order by ${order} limit ${most}::int`

export const selectTurn = (where: Statement): Statement<Turn> => sql<Turn>`
  select u.id, c.name as "conversationId", u.query, u.answer, iso(u.at) as timestamp, iso(u.expires_at) as "expiresAt", u.memory_id as "memoryId"
  from turns u join conversations c on c.tenant_id = u.tenant_id and c.id = u.conversation_id
  where u.tenant_id = current_tenant() and ${where}`
