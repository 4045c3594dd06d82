import type { GraphPort } from '@twofold/core/graph/port.ts'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'

/** A database of its own and the graph beside it. */
export interface Stores extends MigratedDatabase {
  graph: GraphPort
}

export type OpenStores = (now: () => Date) => Promise<Stores>

/** On a native server transactions really meet, and are tried again more often than elsewhere. */
export const crowded = () => migratedDatabase({ retry: { attempts: 10, delayMs: 2 } })
