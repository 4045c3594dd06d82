import type { Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

/** Which memory a request is about: by its id, or by what leads to it. */
export interface Which {
  /** Its id, as an expression. */
  id: Statement
  /** The namespaces that the request names. */
  ranges: readonly Range[] | null
  /** What is said when there is none. */
  missing: string
}

export const byId = (id: string): Which => ({ id: sql`${id}::uuid`, ranges: null, missing: 'There is no such memory.' })
