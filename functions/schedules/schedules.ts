import { expire } from './expire.ts'
import { purge } from './purge.ts'
import { reembed } from './reembed.ts'
import { relay } from './relay.ts'
import type { Scheduled } from './scheduled.ts'

/** Everything that wakes up by itself. Timers and the rules of the cloud are derived from it. */
export const schedules: readonly Scheduled[] = [expire, relay, reembed, purge]
