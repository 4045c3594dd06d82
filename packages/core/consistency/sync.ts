import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { below } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { answerOf, type SyncAnswer, type SyncInput } from './answer.ts'
import { beginRun, excludes } from './run.sql.ts'
import { advance } from './run.ts'
import { isWhole } from './scope.ts'

/** What one request may take, with time left to answer before its deadline of 25 s. */
const LONGEST_MS = 15_000

/**
 * Compares both stores where the caller may look, repairs what differs or rebuilds the graph, as asked for. Postgres wins:
 * what stands nowhere in it is removed from the graph, or adopted into it. What does not end within this request goes on by
 * itself. Refuses `forbidden` for a namespace that no grant covers, `conflict` (with its `runId`) for a rebuild of all
 * beside another or a run that another process went on with when this one stood still, `unavailable` while the graph is off or out of reach.
 */
export async function sync(deps: Deps, caller: Caller, input: SyncInput): Promise<SyncAnswer> {
  if (!deps.settings.graphEnabled) throw new Refusal('unavailable', 'The graph is switched off in this deployment.')
  const started = deps.now()
  const prefix = input.userId === undefined ? input.namespacePrefix : `user:${input.userId}`
  const { authorized } = await deps.db.asCaller(caller, prefix === undefined ? null : below(prefix), [])
  const { tenant, grants, keyId } = authorized
  const { operation, ...options } = input
  const prefixes = prefix === undefined ? grants : [prefix]
  const exclusive = operation === 'rebuild' && isWhole(prefixes) && input.clearExisting && !input.dryRun
  const [id, lease] = [deps.id(), deps.id()]
  const [, [other]] = await deps.db.asTenant(tenant, [
    beginRun({ id, operation, options, prefixes, asked_by: keyId, exclusive }, lease, started.toISOString()),
    excludes,
  ])
  if (exclusive && other && other.id !== id)
    throw new Refusal('conflict', `A rebuild of this tenant is under way: run ${other.id}.`, { runId: other.id })
  const until = new Date(started.getTime() + LONGEST_MS)
  const advanced = await advance(deps, tenant, id, { until, signal: caller.signal, first: true, lease })
  // This process stood still, and its lease ended meanwhile.
  if (!advanced) throw new Refusal('conflict', `Somebody else went on with this run: ${id}.`, { runId: id })
  return answerOf(advanced.run, deps.now(), advanced.found)
}
