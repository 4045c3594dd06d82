import type { Tamperer } from '../../../consistency/tamper.ts'
import type { Asked, Stage, Tenant } from '../stage.ts'
import type { Failing } from '../stepped.ts'
import type { World } from '../world.ts'

/** What a process is doing when it dies, and what may be true from then on. */
export interface Scene {
  does: { request: Asked } | { queue: readonly string[] } | { schedule: string }
  /** As it is before, and as it may be after, one step after the other; the last is what the same request, sent again, leaves. */
  worlds: readonly World[]
  /** A memory that it is about, which a user goes on with while the process is frozen. */
  about?: string
  /** What the user does in the place of that, and what is so then. */
  later?: { does: readonly Asked[]; world: World }
  /** Memories that the graph must show all along. */
  steady?: readonly string[]
  /** What the same request may be answered when it is sent again and there is nothing to do any more. */
  nothingToDo?: number
  /** Both stores differ before, and nothing mends that unless the run has begun. */
  differing?: true
  /** Steps that fail in that process. */
  failing?: readonly { step: string; with: Failing['with'] }[]
}

/** Brings a tenant of its own to where it begins; `n` is no other case's. */
export type Setting = (at: Ground) => Promise<Scene>

export interface Ground {
  stage: Stage
  tenant: Tenant
  tamperer: Tamperer
  n: number
  die: Die
}

/** Lets a process die at a step, for what is left behind. */
export type Die = (does: Scene['does'], before: string) => Promise<void>
