import { background } from './background.ts'
import { consistency } from './consistency.ts'
import type { Setting } from './scene.ts'
import { writes } from './writes.ts'

/** Everything that a process of the service may be at when it dies, by name. */
export const scenes: Record<string, Setting> = { ...writes, ...background, ...consistency }
