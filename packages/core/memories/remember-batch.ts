import type { Caller } from '@twofold/operation/caller.ts'
import { internal } from '@twofold/operation/problem.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { asRefusal, Replay, type ReplayTarget } from '../failures.ts'
import { introduce } from '../keys/introduce.ts'
import { exactly } from '../namespaces/namespace.ts'
import type { Authorized, Deps, Range } from '../ports.ts'
import { type AnswerRow, remembered } from './answer.ts'
import { type Draft, draft } from './draft.ts'
import type { RememberInput } from './input.ts'
import { announce, byIds, readAgain, store } from './remember.ts'
import { type Rendered, rendered } from './replay.ts'
import { conflict, Taken } from './taken.ts'
import { understand } from './understand.ts'

/** How many memories one transaction writes. */
const PART = 50

/** An item as it came: parsed, or refused for what is wrong with it. */
export type Item = { ok: true; input: RememberInput } | { ok: false; refusal: Refusal }

export interface BatchResult {
  items: Rendered[]
  replayed: boolean
}

/**
 * Remembers many, in parts of 50, each part one transaction; every item has its own answer, in order. With an
 * idempotency key each part claims it for itself, so that a batch cut short goes on where it stopped when it is sent again.
 * `atomic`: one transaction for all; the first item that cannot be written refuses the batch, naming it, and nothing is stored.
 * What the models could not do before the batch's deadline is owed.
 */
export async function rememberBatch(deps: Deps, caller: Caller, items: readonly Item[], atomic: boolean): Promise<BatchResult> {
  const at = deps.now()
  const outcomes: (Rendered | null)[] = items.map(() => null)
  const drafts: Numbered[] = []
  const names = new Set<string>()
  items.forEach((item, index) => {
    try {
      if (!item.ok) throw item.refusal
      const made = draft(deps, item.input, at)
      for (const name of namesOf(made)) {
        if (names.has(name)) throw new Refusal('conflict', 'Another item of this batch has the same id or key.')
        names.add(name)
      }
      drafts.push({ index, draft: made, waits: item.input.waitFor === 'graph' })
    } catch (error) {
      outcomes[index] = refused(error, index, atomic)
    }
  })
  const ranges = [...new Set(drafts.map((d) => d.draft.namespace))].flatMap(exactly)
  await introduce(deps, caller, ranges)
  await understand(
    deps,
    caller,
    drafts.map((d) => d.draft),
    deps.settings.batchModelDeadlineMs,
  )
  const size = atomic ? items.length : PART
  let replayed = false
  for (let part = 0; part * size < items.length; part++) {
    const mine = drafts.filter((d) => Math.floor(d.index / size) === part)
    const codes = outcomes.slice(part * size, (part + 1) * size)
    try {
      const result = await writePart(deps, caller, mine, codes, { ranges, at, part, first: part * size, atomic })
      outcomes.splice(part * size, result.items.length, ...result.items)
      replayed ||= result.replayed
    } catch (error) {
      // What an earlier part stored is there: from then on a failure is that of the items it befell, not of the request.
      if (part === 0) throw error
      deps.log.error('batch.part_failed', { requestId: caller.requestId, part, error })
      const failed = asRefusal(error) ?? internal(error)
      const refusals = outcomes.slice(part * size).map((outcome, i) => codes[i] ?? outcome ?? no(i < codes.length ? failed : UNTRIED))
      return { items: [...(outcomes.slice(0, part * size) as Rendered[]), ...refusals], replayed }
    }
  }
  return { items: outcomes as Rendered[], replayed }
}

const no = (refusal: Refusal): Rendered => ({ ok: false, refusal })
const UNTRIED = new Refusal('unavailable', 'Not tried, because items before it failed.')

const namesOf = (d: Draft) => [d.id, ...(d.key === null ? [] : [`${d.namespace}/${d.key}`])]

interface Numbered {
  index: number
  draft: Draft
  waits: boolean
}

interface Part {
  ranges: readonly Range[]
  at: Date
  part: number
  first: number
  atomic: boolean
}

/** One transaction; items that are taken are left out of a second try and answered with why. */
async function writePart(deps: Deps, caller: Caller, drafts: Numbered[], outcomes: (Rendered | null)[], p: Part): Promise<BatchResult> {
  let left = drafts
  const same: Numbered[] = []
  for (;;) {
    const targets = outcomes.map((outcome, i): Partial<ReplayTarget> => {
      const d = [...left, ...same].find((n) => n.index === p.first + i)
      return d ? { id: d.draft.id, version: 1 } : { code: outcome && !outcome.ok ? outcome.refusal.code : 'internal' }
    })
    try {
      const written =
        left.length > 0
          ? await store(
              deps,
              caller,
              left.map((n) => n.draft),
              p.ranges,
              { at: p.at, pendingUntil: null, targets, part: p.part },
              byIds,
            )
          : null
      if (written) await settle(deps, caller, left, written, outcomes, p.first)
      const before =
        same.length > 0
          ? await rendered(
              deps,
              caller,
              same.map((n) => ({ id: n.draft.id, version: 1 })),
            )
          : []
      same.forEach((n, i) => {
        outcomes[n.index - p.first] = before[i] as Rendered
      })
      return { items: outcomes as Rendered[], replayed: false }
    } catch (error) {
      if (error instanceof Replay) return { items: await rendered(deps, caller, error.targets), replayed: true }
      if (!(error instanceof Taken)) throw error
      const out = new Set(error.items.map((item) => item.index))
      for (const item of error.items) {
        const n = left[item.index] as Numbered
        if (item.same && !item.pending) same.push(n)
        else outcomes[n.index - p.first] = refused(conflict(item), n.index, p.atomic)
      }
      left = left.filter((_, i) => !out.has(i))
    }
  }
}

async function settle(
  deps: Deps,
  caller: Caller,
  written: readonly Numbered[],
  { authorized, rows }: { authorized: Authorized; rows: AnswerRow[] },
  outcomes: (Rendered | null)[],
  first: number,
): Promise<void> {
  const waits = written.some((n) => n.waits)
  const cache = await announce(
    deps,
    caller,
    authorized,
    written.map((n) => n.draft),
    { atOnce: waits },
  )
  const fresh = waits ? await readAgain(deps, authorized, rows) : rows
  written.forEach((n, i) => {
    outcomes[n.index - first] = { ok: true, answer: remembered(fresh[i] as AnswerRow, { graphEnabled: deps.settings.graphEnabled, cache }) }
  })
}

/** An item's own refusal; in an atomic batch it is everybody's, with the item's place before each field. */
function refused(error: unknown, index: number, atomic: boolean): Rendered {
  if (!(error instanceof Refusal)) throw error
  if (!atomic) return { ok: false, refusal: error }
  const errors = error.details.errors?.map((e) => ({ ...e, path: `items.${index}.${e.path}` }))
  throw new Refusal(error.code, `items.${index}: ${error.message}`, { ...error.details, ...(errors ? { errors } : {}), index })
}
