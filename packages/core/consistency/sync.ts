import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { z } from 'zod'
import type { GraphSession } from '../graph/port.ts'
import { below, Name, NamespacePrefix } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { adopt } from './adopt.ts'
import { BUCKETS, check, type Slice } from './check.ts'
import { noteDrift, noteRepaired, noteRun, startRun } from './drift.sql.ts'
import { type Difference, Finding } from './finding.ts'
import { repair } from './repair.ts'
import { type Scope, scopeOf } from './scope.ts'

export const SyncInput = z
  .strictObject({
    operation: z.enum(['check', 'repair', 'full']).meta({
      description: 'check looks only; repair also repairs what it finds; full repairs and looks again.',
    }),
    userId: Name.optional(),
    namespacePrefix: NamespacePrefix.optional().meta({ description: 'Where to look; without it everywhere the key may see.' }),
    limit: z.int().min(1).max(1000).default(100).meta({ description: 'Inconsistencies listed; all are repaired.' }),
    dryRun: z.boolean().default(false).meta({ description: 'Changes nothing; each inconsistency says what repair would do.' }),
    deep: z.boolean().default(false).meta({ description: 'Make every digest anew, so that what was changed by hand is found too.' }),
    adopt: z.boolean().default(false).meta({
      description: 'Take entities and edges that somebody added to the graph by hand into Postgres, instead of removing them.',
    }),
  })
  .refine((input) => input.userId === undefined || input.namespacePrefix === undefined, 'must not name both userId and namespacePrefix')
export type SyncInput = z.infer<typeof SyncInput>

export const SyncAnswer = z.object({
  status: z.enum(['success', 'partial']).meta({ description: 'partial: something could not be repaired, or is there again.' }),
  operation: z.string(),
  runId: z.string(),
  done: z.boolean(),
  cursor: z.string().optional().meta({ description: 'Where it stopped when its time was up.' }),
  result: z.object({
    totalChecked: z.number().meta({ description: 'Memories compared.' }),
    inconsistencies: z.array(Finding),
    repaired: z.number(),
    failed: z.number(),
    owed: z.number().meta({ description: 'Things on their way to the graph, which are no inconsistency.' }),
    duration: z.number().meta({ description: 'Milliseconds.' }),
  }),
})
export type SyncAnswer = z.infer<typeof SyncAnswer>

/** What one request may take, with time left to answer before its deadline of 25 s. */
const LONGEST_MS = 15_000

/**
 * Compares both stores where the caller may look, and repairs what differs when asked to. Postgres wins: what stands
 * nowhere in it is removed from the graph, or adopted into it. Stops before the request's deadline. Refuses `forbidden`
 * for a namespace that no grant covers, `unavailable` while the graph is off or out of reach.
 */
export async function sync(deps: Deps, caller: Caller, input: SyncInput): Promise<SyncAnswer> {
  if (!deps.settings.graphEnabled) throw new Refusal('unavailable', 'The graph is switched off in this deployment.')
  const started = deps.now()
  const prefix = input.userId === undefined ? input.namespacePrefix : `user:${input.userId}`
  const runId = deps.id()
  const { authorized } = await deps.db.asCaller(
    caller,
    prefix === undefined ? null : below(prefix),
    [startRun(runId, input.operation, input, started.toISOString())],
    { write: true, repeatable: true },
  )
  const scope = scopeOf(prefix === undefined ? authorized.grants : [prefix])
  const run = new Run(deps, caller, authorized.tenant, scope, input, runId, new Date(started.getTime() + LONGEST_MS))
  await deps.graph.session('reuse', (session) => run.go(session), { signal: caller.signal })
  return run.answer(deps.now().getTime() - started.getTime())
}

class Run {
  readonly #listed: Difference[] = []
  readonly #total = { checked: 0, found: 0, repaired: 0, failed: 0, owed: 0 }
  #stopped: { phase: string; cursor: number } | null = null
  readonly deps: Deps
  readonly caller: Caller
  readonly tenant: string
  readonly scope: Scope
  readonly input: SyncInput
  readonly id: string
  readonly until: Date

  constructor(deps: Deps, caller: Caller, tenant: string, scope: Scope, input: SyncInput, id: string, until: Date) {
    ;[this.deps, this.caller, this.tenant, this.scope, this.input, this.id, this.until] = [deps, caller, tenant, scope, input, id, until]
  }

  async go(session: GraphSession): Promise<void> {
    const { operation, dryRun } = this.input
    const repairs = operation !== 'check' && !dryRun
    await this.#look(session, repairs ? 'repair' : 'check', async (slice) => {
      this.#total.checked += slice.checked
      this.#total.owed += slice.owed
      this.#total.found += slice.differences.length
      this.#listed.push(...slice.differences.slice(0, this.input.limit - this.#listed.length))
      if (repairs) await this.#repair(session, slice.differences)
    })
    if (operation === 'full' && repairs && this.#stopped === null)
      await this.#look(session, 'again', async (slice) => {
        this.#total.failed += slice.differences.length
      })
    await this.#note(this.deps.now().toISOString())
  }

  /** Step by step until the end or until time is up; at least one, so that it gets on. */
  async #look(session: GraphSession, phase: string, then: (slice: Slice) => Promise<void>): Promise<void> {
    const { deps, tenant, scope, input } = this
    const timeoutMs = Math.max(1000, this.until.getTime() - deps.now().getTime())
    for await (const slice of check(deps, tenant, { scope, deep: input.deep, from: 0, session, timeoutMs })) {
      const now = deps.now().toISOString()
      if (!input.dryRun) await deps.db.asTenant(tenant, noteDrift(this.id, slice, { scope, deep: input.deep, now, id: deps.id }))
      await then(slice)
      if (slice.next >= BUCKETS || deps.now() < this.until) continue
      this.#stopped = { phase, cursor: slice.next }
      return
    }
  }

  async #repair(session: GraphSession, differences: readonly Difference[]): Promise<void> {
    const { deps, caller, tenant, input } = this
    const wanted = input.adopt ? differences.filter((one) => one.made) : []
    const adopted = wanted.length > 0 ? await adopt(deps, caller, tenant, wanted, { session }) : new Set<Difference>()
    const kept = new Set(wanted.filter((one) => !adopted.has(one)))
    const { repaired, failed } = await repair(
      deps,
      tenant,
      differences.filter((one) => !kept.has(one)),
      { session },
    )
    this.#total.repaired += repaired.length
    if (input.operation === 'repair') this.#total.failed += failed.length + kept.size
    if (repaired.length > 0) await deps.db.asTenant(tenant, [noteRepaired(repaired, deps.now().toISOString())])
  }

  #note(now: string): Promise<unknown> {
    const { checked, found, repaired, failed } = this.#total
    const [phase, cursor] = [this.#stopped?.phase ?? null, this.#stopped?.cursor ?? null]
    return this.deps.db.asTenant(this.tenant, [
      noteRun(this.id, { phase, cursor, checked, found, repaired, failed, endedAt: this.#stopped ? null : now }),
    ])
  }

  answer(duration: number): SyncAnswer {
    const { checked, repaired, failed, owed } = this.#total
    const stopped = this.#stopped
    return {
      status: failed > 0 ? 'partial' : 'success',
      operation: this.input.operation,
      runId: this.id,
      done: stopped === null,
      ...(stopped ? { cursor: `${stopped.phase}:${stopped.cursor}` } : {}),
      result: { totalChecked: checked, inconsistencies: this.#listed.map((one) => this.#shown(one)), repaired, failed, owed, duration },
    }
  }

  #shown({ kind, store, id, what, expected, found, remedy, made }: Difference): Finding {
    return { kind, store, id, what, expected, found, remedy: made && this.input.adopt ? 'adopt' : remedy }
  }
}
