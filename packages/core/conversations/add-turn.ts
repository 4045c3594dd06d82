import type { Caller } from '@twofold/operation/caller.ts'
import { afterWriting, Replay, type ReplayTarget } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { introduce } from '../keys/introduce.ts'
import { type AnswerRow, remembered } from '../memories/answer.ts'
import { type Draft, draft } from '../memories/draft.ts'
import type { Remembered } from '../memories/memory.ts'
import { announce, byIds, newMemories, type Written } from '../memories/remember.ts'
import { gone, rendered } from '../memories/replay.ts'
import { understand } from '../memories/understand.ts'
import { exactly } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { ambiguous, called, ownPlace, selectTurn, type Turn, type TurnAnswer, type TurnInput } from './conversation.ts'
import { insertTurn } from './turn.sql.ts'

/**
 * Adds what was asked and answered to a conversation, which begins with its first turn and belongs to `user:<userId>`, or
 * to `session:<id>` when that one named nobody. The turn expires so many hours after its timestamp as it says itself, else
 * as its conversation says, else as the configuration does. With `remember` it becomes a memory as well, in the same
 * transaction; that one stays when the turn goes.
 * Refuses `conflict` for a conversation of somebody else, `forbidden` outside the grant. While the conversation is being
 * cleared the turn either goes with it or begins it anew.
 */
export async function addTurn(deps: Deps, caller: Caller, id: string, input: TurnInput): Promise<Written<TurnAnswer>> {
  const at = deps.now()
  const now = at.toISOString()
  const namespace = await placeOf(deps, caller, id, input, now)
  const turn = { id: deps.id(), query: input.query, answer: input.answer, at: input.timestamp ?? now, ttlHours: input.ttlHours ?? null }
  const made = input.remember && namespace !== null ? await drafted(deps, caller, id, namespace, input, at) : null
  const statements: Statement[] = [
    ...claim(caller, [{ id: turn.id }, ...(made ? [{ id: made.id, version: 1 }] : [])], now),
    ...(made ? newMemories(deps, caller, [made], { now, pendingUntil: null }) : []),
    ...insertTurn(
      { ...turn, memoryId: made?.id ?? null, idempotencyKey: caller.idempotency?.key ?? null },
      {
        name: id,
        newId: deps.id(),
        namespace,
        userId: input.userId ?? null,
        ttlHours: input.conversationTtlHours ?? null,
        usualTtlHours: deps.settings.turnTtlHours,
      },
      now,
    ),
    selectTurn(sql`u.id = ${turn.id}::uuid`),
    ...(made ? [byIds([made.id])] : []),
  ]
  try {
    const ranges = namespace === null ? null : exactly(namespace)
    const { authorized, rows } = await deps.db.asCaller(caller, ranges, statements, {
      write: true,
      repeatable: caller.idempotency !== null,
    })
    if (!made) return { answer: { turn: rows.at(-1)?.[0] as Turn }, replayed: false }
    const [[written], [row]] = rows.slice(-2) as [[Turn], [AnswerRow]]
    const cache = await announce(deps, caller, authorized, [made])
    return { answer: { turn: written, ...remembered(row, { graphEnabled: deps.settings.graphEnabled, cache }) }, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await before(deps, caller, error.targets), replayed: true }
  }
}

/** Where the turn must go; null: wherever its conversation is. What is to be remembered needs to be told first. */
async function placeOf(deps: Deps, caller: Caller, id: string, input: TurnInput, now: string): Promise<string | null> {
  if (input.userId !== undefined) return `user:${input.userId}`
  const unsure = id.includes(':')
  if (!input.remember && !unsure) return null
  const { rows } = await deps.db.asCaller(caller, null, [
    sql<{ namespace: string }>`select c.namespace from conversations c where ${called(id, now)}`,
  ])
  const known = rows[0][0]?.namespace
  if (known === undefined && unsure) throw ambiguous()
  return known ?? ownPlace(id)
}

/** The memory of a turn, with what the models could add in time. */
async function drafted(deps: Deps, caller: Caller, id: string, namespace: string, input: TurnInput, at: Date): Promise<Draft> {
  const { query, answer, timestamp } = input
  const content = `${query}\n${answer}`
  const made = draft(deps, { namespace, content, type: 'episodic', conversationId: id, occurredAt: timestamp }, at)
  await introduce(deps, caller, exactly(namespace))
  await understand(deps, caller, [made], deps.settings.modelDeadlineMs)
  return made
}

/** What an identical request was answered: refused `gone` when the turn, or what was remembered of it, has been removed since. */
async function before(deps: Deps, caller: Caller, [turn, memory]: readonly Partial<ReplayTarget>[]): Promise<TurnAnswer> {
  const { rows } = await afterWriting(
    deps.db.asCaller(caller, null, [selectTurn(sql`u.id = ${turn?.id ?? null}::uuid and visible(c.namespace)`)]),
  )
  const found = rows[0][0]
  if (!found) throw gone()
  if (!memory) return { turn: found }
  const [first] = await rendered(deps, caller, [memory])
  if (!first?.ok) throw first?.refusal ?? gone()
  return { turn: found, ...(first.answer as Remembered) }
}
