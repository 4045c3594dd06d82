import { below, granted, subjectOf } from '../namespaces/namespace.ts'
import type { Range } from '../ports.ts'

/** Where a run looks. */
export interface Scope {
  /** Namespaces of memories and sessions. */
  ranges: readonly Range[]
  /** All that the subjects assert which these ranges touch: what the graph adds up by; null: the whole tenant. */
  subjects: readonly Range[] | null
  /** Whether some subject is looked at in part only. Its entities are then left out: they belong to all of it. */
  narrow: boolean
}

/** Whether these prefixes are all that a tenant has. */
export const isWhole = (prefixes: readonly string[]): boolean => prefixes.includes('*')

/** Everything in these prefixes; `*` is everything there is. */
export function scopeOf(prefixes: readonly string[]): Scope {
  const ranges = granted(prefixes)
  if (isWhole(prefixes)) return { ranges, subjects: null, narrow: false }
  const subjects = [...new Set(prefixes.map((prefix) => (prefix.includes(':') ? subjectOf(prefix) : prefix)))].flatMap(below)
  return { ranges, subjects, narrow: prefixes.some((prefix) => prefix.split(':').length > 2) }
}

const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** As collation "C" has it. What has no name lies only in the whole tenant. */
export const lies = (name: string | null, ranges: readonly Range[] | null): boolean =>
  ranges === null || (name !== null && ranges.some(({ low, high }) => compare(name, low) >= 0 && compare(name, high) < 0))

/** Of a thing: by its namespace, or as an entity by its subject. */
export const concerns = ({ ranges, subjects }: Scope, subject: string | null, namespace: unknown): boolean =>
  subjects === null || lies(typeof namespace === 'string' ? namespace : subject, ranges)
