import type { Caller } from '@twofold/operation/caller.ts'
import { changedIn, stillAs, supersede } from '../consolidation/supersede.ts'
import { isUniqueViolation, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { introduce } from '../keys/introduce.ts'
import { type AnswerRow, remembered } from '../memories/answer.ts'
import { announce, byIds, newMemories, type Written } from '../memories/remember.ts'
import { revising } from '../memories/update.ts'
import { exactly, placeOf, subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { heardBefore, noteHeard, recognised, type Said } from './heard.sql.ts'
import { answerOf, type MessagesAnswer, type MessagesInput } from './message.ts'
import { type Plan, planFacts, planMessages } from './plan.ts'
import { replayed, targetsOf } from './replay.ts'

/** A list that a twin or an edit was quicker than is tried anew so often. */
const ATTEMPTS = 5

/**
 * Remembers what was said. With a language model: facts, each compared with what is known; without one, or where it does
 * not answer usably, a memory for each message, so that nothing is lost. Messages that were heard before change nothing.
 * All in one transaction. What somebody edits meanwhile is not touched: the fact then stands beside it.
 */
export async function fromMessages(deps: Deps, caller: Caller, input: MessagesInput): Promise<Written<MessagesAnswer>> {
  const namespace = placeOf(input) as string
  const ranges = exactly(namespace)
  await introduce(deps, caller, ranges)
  const said = recognised(input.messages)
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows } = await deps.db.asCaller(caller, ranges, [
        heardBefore(
          namespace,
          said.map(({ hash }) => hash),
        ),
      ])
      const known = Map.groupBy(rows[0], ({ hash }) => hash)
      const fresh = said.filter(({ hash }) => !known.has(hash))
      const old = said.flatMap(({ index, hash }) => (known.get(hash) ?? []).map(({ id }) => ({ message: index, id })))
      return { answer: await hear(deps, caller, { input, namespace, fresh, old }), replayed: false }
    } catch (error) {
      if (error instanceof Replay) return { answer: await replayed(deps, caller, error.targets), replayed: true }
      if (!isUniqueViolation(error) || attempt === ATTEMPTS) throw error
    }
  }
}

interface Hearing {
  input: MessagesInput
  namespace: string
  fresh: readonly Said[]
  /** What became of messages that were heard before. */
  old: readonly { message: number; id: string | null }[]
}

async function hear(deps: Deps, caller: Caller, { input, namespace, fresh, old }: Hearing): Promise<MessagesAnswer> {
  const infer = fresh.length > 0 && (input.infer ?? deps.language !== null)
  const degraded: string[] = []
  let plans: Plan[]
  if (infer && deps.language !== null) {
    const made = await planFacts(deps, caller, deps.language, { input, namespace, fresh })
    plans = made.plans
    if (made.degraded) degraded.push('language_model')
  } else {
    plans = await planMessages(deps, caller, input, fresh)
    if (infer) degraded.push('language_model')
  }
  const known = old.map((it) => ({ ...it, outcome: 'unchanged' as const }))
  const { rows, plans: written } = await write(deps, caller, { namespace, fresh, known, plans, degraded })
  const items = [...written.map((plan) => itemOf(deps, plan, rows)), ...known]
  return answerOf(
    items.toSorted((a, b) => a.message - b.message),
    [...rows.values()].map(({ memory }) => memory),
    degraded,
  )
}

function itemOf(
  { settings }: Deps,
  { message, outcome, id, known }: Plan,
  rows: ReadonlyMap<string, AnswerRow>,
): MessagesAnswer['items'][number] {
  const row = id === null || outcome === 'unchanged' ? undefined : rows.get(id)
  return {
    ...{ message, outcome, id },
    ...(outcome === 'superseded' && known ? { supersedes: known.memory.id } : {}),
    ...(row ? { receipt: remembered(row, settings).receipt } : {}),
  }
}

interface Writing {
  namespace: string
  fresh: readonly Said[]
  /** Of messages that were heard before. */
  known: readonly Plan[]
  plans: Plan[]
  degraded: readonly string[]
}

/** One transaction. What was edited since it was read stays as it is, and the fact is added instead. */
async function write(deps: Deps, caller: Caller, w: Writing): Promise<{ rows: Map<string, AnswerRow>; plans: Plan[] }> {
  if (w.fresh.length === 0 && caller.idempotency === null) return { rows: new Map(), plans: w.plans }
  for (;;) {
    const { list, ids } = statements(deps, caller, w)
    try {
      const { authorized, rows } = await deps.db.asCaller(caller, exactly(w.namespace), list, { write: true, repeatable: true })
      const written = rows.at(-1) as unknown as AnswerRow[]
      const touched = [...ids, ...w.plans.flatMap(({ outcome, known }) => (outcome === 'superseded' && known ? [known.memory.id] : []))]
      await announce(
        deps,
        caller,
        authorized,
        touched.map((id) => ({ id, subject: subjectOf(w.namespace) })),
      )
      return { rows: new Map(written.map((row) => [row.memory.id, row])), plans: w.plans }
    } catch (error) {
      const changed = changedIn(error)
      if (!changed) throw error
      w.plans = w.plans.map((plan) => (plan.instead && plan.known && changed.has(plan.known.memory.id) ? plan.instead() : plan))
    }
  }
}

function statements(
  deps: Deps,
  caller: Caller,
  { namespace, fresh, known, plans, degraded }: Writing,
): { list: Statement[]; ids: string[] } {
  const now = deps.now().toISOString()
  const { graphEnabled } = deps.settings
  const added = plans.flatMap(({ outcome, draft }) => (draft && outcome !== 'updated' ? [draft] : []))
  const updated = plans.flatMap(({ outcome, draft, known }) => (draft && known && outcome === 'updated' ? [{ draft, known }] : []))
  const replaced = plans.flatMap(({ outcome, draft, known }) => (draft && known && outcome === 'superseded' ? [{ draft, known }] : []))
  const seen = new Map([...updated, ...replaced].map(({ known }) => [known.memory.id, known.memory.version]))
  const idempotencyKey = caller.idempotency?.key ?? null
  const groups = replaced.map(({ draft, known }) => ({ kept: draft.id, merged: [known.memory.id], reason: 'contradiction' as const }))
  const ids = [...added.map(({ id }) => id), ...updated.map(({ draft }) => draft.id)]
  const notes = degraded.map((code) => ({ code: `degraded ${code}` }))
  const list = [
    ...claim(caller, [...targetsOf([...plans, ...known]), ...notes], now),
    ...(seen.size > 0 ? stillAs(seen, [...seen.keys()], now) : []),
    ...(added.length > 0 ? newMemories(deps, caller, added, { now, pendingUntil: null }) : []),
    ...updated.flatMap(({ draft, known }) =>
      revising(
        deps,
        known,
        { ...draft, readVersion: known.memory.version },
        { action: 'memories.update', reason: null, now, idempotencyKey },
      ),
    ),
    ...supersede(groups, seen, { action: 'memories.supersede', now, graphEnabled }),
    ...noteHeard(
      namespace,
      fresh.map(({ index, hash }) => ({
        hash,
        ids: [...new Set(plans.flatMap(({ message, id }) => (message === index && id !== null ? [id] : [])))],
      })),
    ),
    byIds(ids),
  ]
  return { list, ids }
}
