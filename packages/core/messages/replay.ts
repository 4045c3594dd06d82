import type { Caller } from '@twofold/operation/caller.ts'
import type { ReplayTarget } from '../failures.ts'
import { rendered } from '../memories/replay.ts'
import type { Deps } from '../ports.ts'
import { answerOf, type MessagesAnswer } from './message.ts'
import type { Plan } from './plan.ts'

/**
 * What the idempotency row remembers of each item: memory, version, and in `code` its outcome, the place of its message
 * and what it supersedes.
 */
export const targetsOf = (plans: readonly Plan[]): Partial<ReplayTarget>[] =>
  plans.map(({ message, outcome, id, known }) => ({
    ...(id === null ? {} : { id }),
    ...(id === null || outcome === 'unchanged' ? {} : { version: outcome === 'updated' && known ? known.memory.version + 1 : 1 }),
    code: [outcome, message, ...(outcome === 'superseded' && known ? [known.memory.id] : [])].join(' '),
  }))

/** The first answer again, with the receipts as they are now. Refuses `gone` when a memory of it was deleted for good. */
export async function replayed(deps: Deps, caller: Caller, targets: readonly Partial<ReplayTarget>[]): Promise<MessagesAnswer> {
  const made = targets.filter(({ id, version }) => id && version)
  const answers = await rendered(
    deps,
    caller,
    made.map(({ id, version }) => ({ id, version })),
  )
  const shown = made.map(({ id }, i) => {
    const answer = answers[i]
    if (!answer?.ok) throw answer?.refusal
    return [id as string, answer.answer] as const
  })
  const byId = new Map(shown)
  const degraded: string[] = []
  const items = targets.flatMap(({ id, code }): MessagesAnswer['items'] => {
    const [outcome, message, supersedes] = (code as string).split(' ') as [string, string, string?]
    if (outcome === 'degraded') {
      degraded.push(message)
      return []
    }
    const receipt = outcome === 'unchanged' || !id ? undefined : byId.get(id)?.receipt
    return [
      {
        ...{ message: Number(message), outcome: outcome as Plan['outcome'], id: id ?? null },
        ...(supersedes ? { supersedes } : {}),
        ...(receipt ? { receipt } : {}),
      },
    ]
  })
  return answerOf(
    items.toSorted((a, b) => a.message - b.message),
    shown.map(([, { memory }]) => memory),
    degraded,
  )
}
