import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { container } from '../container.ts'
import type { INTERVALS } from '../env.ts'
import { type AnyPart, holding } from '../needs.ts'

/** What one round of a schedule has at hand. */
export interface Round {
  deps: Deps
  /** Begins nothing further after that. */
  until: Date
  /** Aborts what is still under way when the round's time is over, or its process is to end. */
  signal: AbortSignal
}

export interface Declared<T> {
  /** Of its file, its lock and its rule in the cloud. */
  name: string
  /** The variable that says how often, in milliseconds; or at which hour (UTC) once a day. */
  every: keyof typeof INTERVALS | 'NIGHTLY_HOUR'
  /** How long one round may take, in milliseconds. */
  longestMs: number
  /** What its work needs; it gets nothing else. */
  needs: readonly AnyPart[]
  /** Left out where ENABLE_AUTO_SYNC is false. */
  autoSync?: boolean
  work(round: Round): Promise<T>
}

/** Somebody else is at it, it was done since it was due, the configuration leaves it out, or its process is to end. */
export interface Skipped {
  skipped: true
}

export interface Scheduled<T = unknown> {
  /** One round at each place, under a lock of that place, which `stop` breaks off. Answers home's; throws what the work of one threw, after noting it. */
  (deps: Deps): (stop?: AbortSignal) => Promise<T | Skipped>
  readonly declared: Declared<T>
  /** What the cloud starts. */
  handler(): Promise<T | Skipped>
}

/** What a round may overrun its time by, for the call that is under way; then the cloud ends the process, and the lock is free. */
const GRACE_MS = 10_000

/** How long the process of one round may live, which is how long its lock lasts when it is killed. */
export const leaseMs = ({ longestMs }: Pick<Declared<unknown>, 'longestMs'>): number => longestMs + GRACE_MS

/**
 * Declares a scheduled function. However often the cloud starts it, one round runs at a time: its lock is a row in
 * Postgres, free again when the round ends, or at the end of the round's time when its process was killed.
 */
export function scheduled<T>(declared: Declared<T>): Scheduled<T> {
  const { name, every, longestMs, needs, autoSync = false, work } = declared
  const [its, within] = [holding(needs), container(needs)]
  const run =
    (deps: Deps) =>
    async (stop?: AbortSignal): Promise<T | Skipped> => {
      const { places } = deps
      const all = await Promise.allSettled(
        places.names.map(async (name) => roundAt(name === places.here ? deps : ((await places.at(name)) as Deps), stop)),
      )
      for (const each of all) if (each.status === 'rejected') throw each.reason
      return (all[0] as PromiseFulfilledResult<T | Skipped>).value
    }
  const roundAt = async (deps: Deps, stop?: AbortSignal): Promise<T | Skipped> => {
    const { db, settings, log } = deps
    if (autoSync && !settings.autoSync) return { skipped: true }
    const at = deps.now()
    const [round, after] = [deps.id(), (ms: number) => new Date(at.getTime() + ms)]
    const due = every === 'NIGHTLY_HOUR' ? lastAt(settings.nightlyHour, at).toISOString() : null
    const [[taken]] = await db.across([
      sql<{
        mine: boolean
      }>`select begin_schedule(${name}, ${round}::uuid, ${at.toISOString()}::timestamptz, ${after(leaseMs(declared)).toISOString()}::timestamptz, ${due}::timestamptz) as mine`,
    ])
    if (!taken?.mine) return { skipped: true }
    const end = (failure: string | null) =>
      db.across([sql`select end_schedule(${name}, ${round}::uuid, ${deps.now().toISOString()}::timestamptz, ${failure})`])
    try {
      const timeout = AbortSignal.timeout(longestMs)
      const done = await work({ deps: its(deps), until: after(longestMs), signal: stop ? AbortSignal.any([timeout, stop]) : timeout })
      await end(null)
      return done
    } catch (error) {
      if (stop?.aborted) {
        await end(null)
        return { skipped: true }
      }
      log.error('schedule.failed', { schedule: name, error })
      // Where Postgres itself is the trouble the lock ends by its time.
      await end(error instanceof Error ? error.name : 'unknown').catch(() => undefined)
      throw error
    }
  }
  return Object.assign(run, { declared, handler: () => within(({ deps }) => run(deps)()) })
}

/** The last time that the clock struck this hour (UTC). */
export function lastAt(hour: number, now: Date): Date {
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hour)
  return new Date(today <= now.getTime() ? today : today - 24 * 3600_000)
}
