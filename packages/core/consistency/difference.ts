import type * as z from 'zod-own'
import type { Pruned } from '../graph/port.ts'
import type { Finding } from './finding.ts'
import type { Unknown } from './ledger.sql.ts'

/** A finding and what its repair needs to know. */
export interface Difference extends Finding {
  subject: string | null
  bucket: number
  /** Only a deep check can see it. */
  deep: boolean
  /** The ledger row as it was judged; null when there is none. */
  row: { id: string; revision: number } | null
  /** The graph refused it in every attempt. */
  parked?: true
  /** To be owed for the first time. */
  unknown?: Unknown
  /** To be taken away first. */
  prune: readonly Pruned[]
  /** What somebody made, as far as the graph knows it by name. */
  made?: { entity: Record<string, unknown> } | { edge: Record<string, unknown> }
}

/** Whether Postgres has something to say of it; else somebody made it by hand. */
export const isOurs = ({ row, unknown }: Difference): boolean => Boolean(row || unknown)

/** What somebody made by hand can have another sort of id, or none. */
export const isUuid = (id: string | null): id is string => id !== null && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)

/** As it can be shown in JSON, in at most 1,000 characters: what somebody wrote by hand can be anything. */
export function plain(value: unknown): z.infer<ReturnType<typeof z.json>> {
  if (value === null || value === undefined) return null
  if (typeof value === 'number' || typeof value === 'boolean') return Number.isNaN(value) ? null : value
  if (typeof value === 'string') return value.slice(0, 1000)
  const text = JSON.stringify(value, (_, x) => (typeof x === 'bigint' ? String(x) : x)) ?? String(value)
  return text.length <= 1000 ? JSON.parse(text) : text.slice(0, 1000)
}
