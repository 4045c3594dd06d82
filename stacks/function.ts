import type { Need } from '@twofold/functions/variables.ts'
import { BUNDLING } from './bundling.ts'
import type { Reach, Reached } from './reach.ts'

/** One function of the cloud, as the code declares it. */
export interface Declared {
  /** Its file without the ending, which exports `handler`. */
  entry: string
  needs: readonly Need[]
  /** How long it may run. */
  timeoutMs: number
}

/** More memory is more CPU, which loading a driver and a client takes and waiting for Postgres does not. */
const MEMORY = { plain: '512 MB', driver: '1024 MB' } as const
/** What is sent by HTTP alone: no driver is loaded for it. */
const LIGHT: readonly Need[] = ['queue', 'operator']

/** How every function is made: on arm64 and the newest Node, with what reaches the parts that it needs and nothing else. */
export const functionOf = ({ entry, needs, timeoutMs }: Declared, reach: Reach) => ({
  handler: `${entry}.handler`,
  runtime: 'nodejs24.x' as const,
  architecture: 'arm64' as const,
  nodejs: BUNDLING,
  memory: needs.every((need) => LIGHT.includes(need)) ? MEMORY.plain : MEMORY.driver,
  timeout: secondsOf(timeoutMs),
  logging: { retention: '1 month' as const },
  ...(reach(needs) satisfies Reached),
})

export const secondsOf = (ms: number) => `${Math.ceil(ms / 1000)} seconds` as const

/** `memories.add_batch` and `graph-writes` as names of resources: `MemoriesAddBatch`, `GraphWrites`. */
export const resourceOf = (name: string): string =>
  name
    .split(/[._-]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
