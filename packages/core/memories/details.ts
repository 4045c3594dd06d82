import { invalid } from '@twofold/operation/refusal.ts'
import { dayOf } from '../text/indexed.ts'
import type { Details } from './memory.ts'

type Field = keyof Details

const FIELDS = new Map<string, readonly Field[]>([
  ['decision', ['title', 'rationale', 'alternatives']],
  ['commitment', ['title', 'owner', 'dueAt', 'status', 'outcome', 'completedAt']],
  ['pattern', ['name', 'description', 'confidence', 'occurrences']],
])

const ALL = [...new Set([...FIELDS.values()].flat())]

/** Those of the fields that a memory of this kind has; null when it has none. */
export function detailsOf(memory: Details, kind: string): Details | null {
  const named = (FIELDS.get(kind) ?? []).filter((field) => memory[field] !== undefined)
  return named.length === 0 ? null : Object.fromEntries(named.map((field) => [field, memory[field]]))
}

/**
 * The same after a change. Refuses `invalid` for a field that no memory of this kind has.
 */
export function changedDetails(memory: Details, kind: string, changes: Details): Details | null {
  const fields = FIELDS.get(kind) ?? []
  const named = ALL.filter((field) => changes[field] !== undefined)
  const strange = named.filter((field) => !fields.includes(field))
  if (strange.length > 0) throw invalid(strange.map((path) => ({ path, message: `is no field of a memory of kind ${kind}` })))
  return detailsOf({ ...memory, ...Object.fromEntries(named.map((field) => [field, changes[field]])) }, kind)
}

/** The text that such a memory is found by. */
export function textOfDetails({ title, rationale, alternatives = [], owner, dueAt, outcome, name, description }: Details): string {
  const labelled = (label: string, value?: string | null) => (value ? `${label}: ${value}` : null)
  const lines = [
    ...[title, rationale, labelled('Alternatives', alternatives.join('; ')), labelled('Owner', owner)],
    ...[labelled('Due', dueAt && dayOf(new Date(dueAt))), labelled('Outcome', outcome), name, description],
  ]
  return lines.filter((line) => line).join('\n')
}
