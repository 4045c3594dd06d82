import type { Caller } from '@twofold/operation/caller.ts'
import { plain } from '../consolidation/same.ts'
import type { AnswerRow } from '../memories/answer.ts'
import { detailsOf } from '../memories/details.ts'
import { type Draft, draft, redraft } from '../memories/draft.ts'
import type { Memory } from '../memories/memory.ts'
import { understand } from '../memories/understand.ts'
import type { Deps, LanguageModel } from '../ports.ts'
import type { Said } from './heard.sql.ts'
import { type Fact, infer } from './infer.ts'
import type { MessagesInput, OUTCOMES } from './message.ts'

/** What is to become of a message, or of one fact in it. */
export interface Plan {
  /** The place of the message in the request. */
  message: number
  outcome: (typeof OUTCOMES)[number]
  /** The memory that says it then; null: nothing is worth it. */
  id: string | null
  draft?: Draft
  /** What it updates or supersedes. */
  known?: AnswerRow
  /** What becomes of it when somebody has changed what it updates or supersedes. */
  instead?(): Plan
}

/** A memory for each message, with who said it and when. */
export async function planMessages(deps: Deps, caller: Caller, input: MessagesInput, fresh: readonly Said[]): Promise<Plan[]> {
  const plans = fresh.map(({ index }) => whole(deps, input, index))
  await understandAll(deps, caller, plans)
  return plans
}

function whole(deps: Deps, input: MessagesInput, index: number): Plan {
  const { role, name, content, createdAt } = input.messages[index] as MessagesInput['messages'][number]
  const made = draft(deps, { ...placed(input), content, speaker: name ?? role, occurredAt: createdAt }, deps.now())
  return { message: index, outcome: 'added', id: made.id, draft: made }
}

/** Where it belongs, and what it belongs to. */
const placed = ({ namespace, userId, conversationId, sessionId, taskId }: MessagesInput) => ({
  namespace,
  userId,
  conversationId,
  sessionId,
  taskId,
})

export interface Hearing {
  input: MessagesInput
  namespace: string
  fresh: readonly Said[]
}

/** What the model finds in the messages; messages of which it could not tell anything are kept whole, which is `degraded`. */
export async function planFacts(
  deps: Deps,
  caller: Caller,
  language: LanguageModel,
  { input, namespace, fresh }: Hearing,
): Promise<{ plans: Plan[]; degraded: boolean }> {
  const messages = fresh.map(({ index }) => input.messages[index] as MessagesInput['messages'][number])
  const facts = await infer(deps, caller, language, namespace, messages)
  // Whoever has gone will ask again, and then the model may answer.
  if (facts.includes(null)) caller.signal.throwIfAborted()
  const planning: Planning = { deps, input, taken: new Set(), said: new Map() }
  const plans = fresh.flatMap(({ index }, i): Plan[] => {
    const found = facts[i] ?? null
    if (found === null) return [whole(deps, input, index)]
    if (found.length === 0) return [{ message: index, outcome: 'unchanged', id: null }]
    return found.map((fact) => planOf(planning, index, fact))
  })
  await understandAll(deps, caller, plans)
  return { plans, degraded: facts.includes(null) }
}

interface Planning {
  deps: Deps
  input: MessagesInput
  /** What an earlier fact changes already. */
  taken: Set<string>
  /** What earlier facts say, and where. */
  said: Map<string, string>
}

function planOf({ deps, input, taken, said }: Planning, message: number, { text, event, known }: Fact): Plan {
  const words = plain(text)
  const before = said.get(words)
  if (before !== undefined) return { message, outcome: 'unchanged', id: before }
  const free = known !== null && mayChange(known.memory) && !taken.has(known.memory.id)
  const plan =
    event === 'same' && known
      ? { message, outcome: 'unchanged' as const, id: known.memory.id }
      : event === 'update' && free
        ? updated(deps, input, message, text, known)
        : event === 'supersede' && free
          ? superseding(deps, input, message, text, known)
          : added(deps, input, message, text)
  if (plan.known) taken.add(plan.known.memory.id)
  said.set(words, plan.id as string)
  return plan
}

/** What has a key, or fields of its kind, is changed by whoever made it so, and not by what was overheard. */
const mayChange = (memory: Memory): boolean => memory.key === null && memory.value === null && detailsOf(memory, memory.kind) === null

function added(deps: Deps, input: MessagesInput, message: number, content: string): Plan {
  const occurredAt = input.messages[message]?.createdAt
  const made = draft(deps, { ...placed(input), content, occurredAt }, deps.now())
  return { message, outcome: 'added', id: made.id, draft: made }
}

function superseding(deps: Deps, input: MessagesInput, message: number, content: string, known: AnswerRow): Plan {
  const plan = added(deps, input, message, content)
  return { ...plan, outcome: 'superseded', known, instead: () => plan }
}

function updated(deps: Deps, input: MessagesInput, message: number, content: string, known: AnswerRow): Plan {
  const next = redraft(deps, known.memory, { content }, deps.now())
  const instead = () => {
    const plan = added(deps, input, message, content)
    const { entities, relations, embedding, owesEmbedding, owesEntities } = next
    // What the models made of the text holds for it here as well, unless it was said with another time.
    const same = plan.draft?.toEmbed === next.toEmbed
    Object.assign(plan.draft as Draft, { entities, relations, owesEntities }, same ? { embedding, owesEmbedding } : { owesEmbedding: true })
    return plan
  }
  return { message, outcome: 'updated', id: known.memory.id, draft: next, known, instead }
}

async function understandAll(deps: Deps, caller: Caller, plans: readonly Plan[]): Promise<void> {
  const drafts = plans.flatMap(({ draft }) => (draft ? [draft] : []))
  if (drafts.length > 0) await understand(deps, caller, drafts, deps.settings.batchModelDeadlineMs)
}
