import type { Caller } from '@twofold/operation/caller.ts'
import { cursor, cursorAt } from '@twofold/operation/page.ts'
import { invalid } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { introduce } from '../keys/introduce.ts'
import { MemoryId } from '../memories/fields.ts'
import { announce, type Written } from '../memories/remember.ts'
import { gone } from '../memories/replay.ts'
import { earlier } from '../memories/update.ts'
import { exactly, Namespace, subjectOf } from '../namespaces/namespace.ts'
import type { Authorized, Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type Group, REASONS } from './candidate.ts'
import { type Found, findByModel, findExact, findSimilar, type Part, type Read, STRATEGIES, type Strategy } from './find.ts'
import { changedIn, restored, supersede, without } from './supersede.ts'

export const ConsolidateInput = z.strictObject({
  namespace: Namespace,
  strategy: z.enum(STRATEGIES).meta({
    description:
      'exact: the same words. similar: near-equal meaning, with the same names, numbers and denials. model: what the language model takes for the same, or for outdated.',
  }),
  dryRun: z.boolean().default(false),
  cursor: cursor(MemoryId).meta({ description: 'Where to go on: the `cursor` of the answer before.' }),
})
export type ConsolidateInput = z.infer<typeof ConsolidateInput>

export const Consolidated = z.object({
  groups: z.array(
    z.object({
      kept: z.string(),
      merged: z.array(z.string()).meta({ description: 'Deleted softly, each pointing to `kept`; `restore` brings it back.' }),
      reason: z.enum(REASONS),
    }),
  ),
  consolidated: z.number().meta({ description: 'Memories that were merged into others; in a dry run, that would be.' }),
  done: z.boolean().meta({ description: 'False: there is more, from `cursor` on.' }),
  cursor: z.string().nullable(),
})
export type Consolidated = z.infer<typeof Consolidated>

const ACTION = 'memories.consolidate'
export const NO_MODEL = 'cannot be model: this deployment has no language model (LANGUAGE_MODEL)'

/** How long a model may think about one part. */
const MODEL_MS = 20_000

/**
 * Merges what says the same in exactly this namespace, one bounded part at a time: of each group one memory stays, the
 * others are deleted softly and point to it. What somebody changes meanwhile is left alone. Refuses `forbidden`, `invalid`
 * for the strategy `model` where there is none, `unavailable` while it does not answer.
 */
export async function consolidate(deps: Deps, caller: Caller, input: ConsolidateInput): Promise<Written<Consolidated>> {
  const ranges = exactly(input.namespace)
  await introduce(deps, caller, ranges)
  try {
    // A model is not asked again about what it was asked before.
    const before = input.strategy === 'model' && caller.idempotency !== null ? await earlier(deps, caller) : null
    if (before) throw new Replay(before)
    const read: Read = async (statement) => (await deps.db.asCaller(caller, ranges, [searching, statement])).rows[1] as never
    const found = await find(deps, read, input.strategy, { namespace: input.namespace, after: input.cursor ?? null }, caller.signal)
    if (input.dryRun) return { answer: answer(found.groups, found.next), replayed: false }
    const written = await apply(
      found,
      async (list, groups) => {
        const targets = [
          ...groups.flatMap(({ merged }) => merged.map((id) => ({ id, version: (found.seen.get(id) as number) + 1 }))),
          { code: found.next ?? DONE },
        ]
        const claimed = claim(caller, targets, deps.now().toISOString())
        return deps.db.asCaller(caller, ranges, [...claimed, ...list], { write: true, repeatable: caller.idempotency !== null })
      },
      deps,
    )
    const { authorized } = written.result
    await announce(deps, caller, authorized as Authorized, touched(written.groups, input.namespace))
    return { answer: answer(written.groups, found.next), replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await replayed(deps, caller, error.targets), replayed: true }
  }
}

/** In the place of a cursor, of a part that was the last. */
const DONE = 'done'

const searching = sql`select set_config('hnsw.ef_search', '100', true), set_config('hnsw.iterative_scan', 'strict_order', true)`

/** The same of a tenant's own accord, unless `guard` refuses, and not of what was restored; answers where to go on, null at the end. */
export async function consolidatePart(
  deps: Deps,
  tenant: string,
  strategy: Strategy,
  part: Part,
  { signal, guard }: { signal: AbortSignal; guard: Statement },
): Promise<string | null> {
  const read: Read = async (statement) => (await deps.db.asTenant(tenant, [searching, statement]))[1] as never
  const found = await find(deps, read, strategy, part, signal)
  const wanted = await leaveRestored(deps, tenant, found.groups)
  if (wanted.length === 0) return found.next
  const { groups } = await apply({ ...found, groups: wanted }, (list) => deps.db.asTenant(tenant, [guard, ...list]), deps)
  const written = touched(groups, part.namespace)
  await deps.cache.invalidate(tenant, [subjectOf(part.namespace)])
  if (deps.settings.graphEnabled)
    await deps.queue.nudge(
      tenant,
      written.map(({ id }) => id),
    )
  return found.next
}

/** What somebody brought back stays as he wanted it, until it is changed or he asks for a merger himself. */
async function leaveRestored(deps: Deps, tenant: string, groups: Group[]): Promise<Group[]> {
  if (groups.length === 0) return groups
  const [rows] = await deps.db.asTenant(tenant, [restored(groups.flatMap(({ kept, merged }) => [kept, ...merged]))])
  return without(groups, new Set(rows.map(({ id }) => id)))
}

const answer = (groups: Group[], next: string | null): Consolidated => ({
  groups,
  consolidated: groups.reduce((sum, { merged }) => sum + merged.length, 0),
  done: next === null,
  cursor: cursorAt(next),
})

const touched = (groups: readonly Group[], namespace: string) =>
  groups.flatMap(({ kept, merged }) => [kept, ...merged].map((id) => ({ id, subject: subjectOf(namespace) })))

function find(deps: Deps, read: Read, strategy: Strategy, part: Part, signal: AbortSignal): Promise<Found> {
  const finding = { deps, read, part }
  if (strategy === 'exact') return findExact(finding)
  if (strategy === 'similar') return findSimilar(finding)
  if (deps.language === null) throw invalid([{ path: 'strategy', message: NO_MODEL }])
  return findByModel(finding, deps.language, AbortSignal.any([signal, AbortSignal.timeout(MODEL_MS)]))
}

/** Writes all groups at once; those that somebody has changed since are left out, and the others written. */
async function apply<T>(
  { groups, seen }: Found,
  write: (list: Statement[], groups: readonly Group[]) => Promise<T>,
  { now, settings }: Pick<Deps, 'now' | 'settings'>,
): Promise<{ groups: Group[]; result: T }> {
  for (let left = groups; ; ) {
    const list = supersede(left, seen, { action: ACTION, now: now().toISOString(), graphEnabled: settings.graphEnabled })
    try {
      return { groups: left, result: await write(list, left) }
    } catch (error) {
      const changed = changedIn(error)
      if (!changed) throw error
      left = without(left, changed)
    }
  }
}

/** What a request was answered before, from the versions it made: each says what took its place and why. */
async function replayed(deps: Deps, caller: Caller, targets: Replay['targets']): Promise<Consolidated> {
  const made = targets.flatMap(({ id, version }) => (id && version ? [{ id, version }] : []))
  const { rows } = await deps.db.asCaller(caller, null, [
    sql<{ id: string; kept: string; reason: Group['reason'] }>`
      select v.memory_id as id, v.memory->>'supersededBy' as kept, v.reason
      from jsonb_to_recordset(${JSON.stringify(made)}::jsonb) t (id uuid, version int)
      join memory_versions v on v.tenant_id = current_tenant() and v.memory_id = t.id and v.version = t.version
      where visible(v.namespace) order by v.memory_id`,
  ])
  if (rows[0].length < made.length) throw gone()
  const groups = [...Map.groupBy(rows[0], ({ kept, reason }) => `${kept} ${reason}`).values()].map((same) => {
    const [{ kept, reason }] = same as [(typeof same)[number]]
    return { kept, merged: same.map(({ id }) => id), reason }
  })
  const code = targets.find((target) => target.code)?.code ?? DONE
  return answer(groups, code === DONE ? null : code)
}
