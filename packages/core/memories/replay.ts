import type { Caller } from '@twofold/operation/caller.ts'
import { type Code, Refusal } from '@twofold/operation/refusal.ts'
import { afterWriting, type ReplayTarget } from '../failures.ts'
import type { Deps } from '../ports.ts'
import { remembered, selectVersions } from './answer.ts'
import type { Remembered } from './memory.ts'

export type Rendered = { ok: true; answer: Remembered } | { ok: false; refusal: Refusal }

export const gone = () => new Refusal('gone', 'What this request once wrote has since been deleted for good.')

/** The answers that a request was given before: the versions it was shown, with the receipts as they are now; in the order of the targets. */
export async function rendered(deps: Deps, caller: Caller, targets: readonly Partial<ReplayTarget>[]): Promise<Rendered[]> {
  const wanted = targets.flatMap((t) => (t.id && t.version ? [{ id: t.id, version: t.version }] : []))
  const { rows } = await afterWriting(deps.db.asCaller(caller, null, [selectVersions(wanted)]))
  const known = new Map(rows[0].map((row) => [`${row.memory.id} ${row.memory.version}`, row]))
  return targets.map((t) => {
    if (t.code) return { ok: false, refusal: new Refusal(t.code as Code, 'This item was refused when the request was first made.') }
    const row = known.get(`${t.id} ${t.version}`)
    return row ? { ok: true, answer: remembered(row, { graphEnabled: deps.settings.graphEnabled }) } : { ok: false, refusal: gone() }
  })
}
