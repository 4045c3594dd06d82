import type { Caller } from '@twofold/operation/caller.ts'
import { flaw } from '@twofold/operation/json.ts'
import { plain } from '../consolidation/same.ts'
import { ModelError } from '../failures.ts'
import { type AnswerRow, selectAnswers } from '../memories/answer.ts'
import { live } from '../memories/live.sql.ts'
import { embedTexts } from '../memories/understand.ts'
import { vectorText } from '../memories/write.sql.ts'
import { exactly, subjectOf } from '../namespaces/namespace.ts'
import type { Deps, Inferred, LanguageModel, NumberedText } from '../ports.ts'
import { raw, type Statement, sql } from '../sql.ts'

export interface Message {
  role: string
  name?: string
  content: string
  createdAt?: string
}

/** What a model made of a message, looked at. */
export interface Fact {
  text: string
  event: Inferred['event']
  known: AnswerRow | null
}

/** Facts of each message, in their order; null for those that no model could tell. */
export type Facts = (Fact[] | null)[]

/** Messages that a model is shown at once, and calls at the same time. */
const AT_A_TIME = 20
const AT_ONCE = 4
/** How long the model may take for all of them. */
const INFER_MS = 14_000
/** What is known that a model is shown beside: so many for each message, so many together. */
const NEAREST = 5
const MOST_KNOWN = 40
/** Beyond these an answer is nonsense. */
const MOST_FACTS = 10
const LONGEST_FACT = 4_000

/**
 * Asks the model what is worth knowing of these messages, beside what is nearest to them in the namespace. Of what it
 * answers only that is kept which can be: an answer that names a message it was not shown is none at all.
 */
export async function infer(
  deps: Deps,
  caller: Caller,
  language: LanguageModel,
  namespace: string,
  messages: readonly Message[],
): Promise<Facts> {
  const signal = AbortSignal.any([caller.signal, AbortSignal.timeout(INFER_MS)])
  const parts = Array.from({ length: Math.ceil(messages.length / AT_A_TIME) }, (_, i) => messages.slice(i * AT_A_TIME, (i + 1) * AT_A_TIME))
  const facts: Facts = []
  for (let i = 0; i < parts.length; i += AT_ONCE) {
    const some = await Promise.all(
      parts.slice(i, i + AT_ONCE).map((part) => inferPart(deps, caller, { language, namespace, signal }, part)),
    )
    facts.push(...some.flat())
  }
  return facts
}

interface Asking {
  language: LanguageModel
  namespace: string
  signal: AbortSignal
}

async function inferPart(
  deps: Deps,
  caller: Caller,
  { language, namespace, signal }: Asking,
  messages: readonly Message[],
): Promise<Facts> {
  const known = await knownBeside(deps, caller, namespace, messages, signal)
  const said = messages.map(({ content, role, name, createdAt }, i) => ({
    number: i + 1,
    text: content,
    speaker: name ?? role,
    at: createdAt ?? null,
  }))
  const shown = known.map(({ memory }, i) => ({ number: i + 1, text: memory.content, speaker: memory.speaker, at: memory.occurredAt }))
  try {
    const inferred = await caller.timings.measure('infer', () => language.infer(said, shown, { signal }))
    if (makesSense(inferred, said))
      return messages.map((_, i) => inferred.filter(({ message }) => message === i + 1).map((it) => factOf(it, known)))
    deps.log.warn('inference.nonsense', { model: language.model, facts: inferred.length })
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    deps.log.warn('inference.failed', { model: language.model, step: error.step })
  }
  return messages.map(() => null)
}

const makesSense = (inferred: readonly Inferred[], said: readonly NumberedText[]): boolean =>
  inferred.length <= MOST_FACTS * said.length &&
  inferred.every(
    ({ message, text }) => said[message - 1] !== undefined && /\S/.test(text) && text.length <= LONGEST_FACT && flaw(text) === null,
  )

/** What stands to nothing it was shown stands for itself; and what is known in the same words is known, whatever the model says. */
function factOf({ text, event, known }: Inferred, shown: readonly AnswerRow[]): Fact {
  const row = known === null ? undefined : shown[known - 1]
  const same = shown.find(({ memory }) => plain(memory.content) === plain(text))
  if (same) return { text: text.trim(), event: 'same', known: same }
  return event === 'add' || row === undefined ? { text: text.trim(), event: 'add', known: null } : { text: text.trim(), event, known: row }
}

/** What of the namespace is nearest to the messages; nothing while there are no vectors of these. */
async function knownBeside(
  deps: Deps,
  caller: Caller,
  namespace: string,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<AnswerRow[]> {
  const texts = messages.map(({ content }) => content)
  const vectors = (await embedTexts(deps, texts, { signal, priority: 'interactive' })).flatMap((vector) =>
    vector ? [vectorText(vector)] : [],
  )
  if (vectors.length === 0) return []
  const { rows } = await deps.db.asCaller(caller, exactly(namespace), [nearest(deps, namespace, vectors)])
  return rows[0]
}

function nearest({ embedder, now }: Pick<Deps, 'embedder' | 'now'>, namespace: string, vectors: readonly string[]): Statement<AnswerRow> {
  const half = raw(`::halfvec(${embedder.dimensions})`)
  const ids = sql`array(
    select x.memory_id from unnest(${vectors}::text[]) v (vector) cross join lateral (
      select e.memory_id, e.embedding${half} <=> v.vector${half} as distance from embeddings e
      where e.tenant_id = current_tenant() and e.model = ${embedder.model} and e.live and e.subject = ${subjectOf(namespace)} and e.namespace = ${namespace}
        and e.kind <> 'document'
      order by e.embedding${half} <=> v.vector${half} limit ${NEAREST}::int) x
    group by x.memory_id order by min(x.distance) limit ${MOST_KNOWN}::int)`
  return selectAnswers(sql`m.id = any(${ids}) and m.namespace = ${namespace} and ${live(now().toISOString())}`)
}
