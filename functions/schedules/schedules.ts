import { consolidate } from './consolidate.ts'
import { documents } from './documents.ts'
import { expire } from './expire.ts'
import { measure } from './measure.ts'
import { nightly } from './nightly.ts'
import { poison } from './poison.ts'
import { purge } from './purge.ts'
import { reembed } from './reembed.ts'
import { relay } from './relay.ts'
import { runs } from './runs.ts'
import type { Scheduled } from './scheduled.ts'
import { sync } from './sync.ts'

/** Everything that wakes up by itself. Timers and the rules of the cloud are derived from it. */
export const schedules: readonly Scheduled[] = [expire, consolidate, relay, reembed, documents, purge, poison, runs, sync, nightly, measure]
