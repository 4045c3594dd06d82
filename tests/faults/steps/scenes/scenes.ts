import { background } from './background.ts'
import { consistency } from './consistency.ts'
import { consolidation } from './consolidation.ts'
import { documents } from './documents.ts'
import { entities } from './entities.ts'
import { knowledge } from './knowledge.ts'
import { messages } from './messages.ts'
import { namespaces } from './namespaces.ts'
import type { Setting } from './scene.ts'
import { sessions } from './sessions.ts'
import { writes } from './writes.ts'

/** Everything that a process of the service may be at when it dies, by name. */
export const scenes: Record<string, Setting> = {
  ...writes,
  ...entities,
  ...sessions,
  ...messages,
  ...documents,
  ...knowledge,
  ...namespaces,
  ...consolidation,
  ...background,
  ...consistency,
}
