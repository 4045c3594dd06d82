import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf } from '../reason.ts'
import type { Sql } from '../sql/direct.ts'

export interface SchedulerOptions {
  /** As the owner of the database. */
  sql: Sql
  /** How long a lease lasts that its holder does not renew: what a killed process costs a schedule beside its interval. */
  leaseMs?: number
  log(message: string): void
}

export interface Scheduler {
  /**
   * Runs `run` every `ms` in one process at a time, however many share the database, first at once. The next run
   * begins `ms` after the last one began, or when it ends if it took longer. A run that throws is logged.
   */
  every(name: string, ms: number, run: (stop: AbortSignal) => Promise<unknown>): void
  /** Begins no further run, tells the running ones and waits for them. */
  stop(): Promise<void>
}

/** `if not exists` is no protection against a twin that starts at the same moment; the lock is. */
const CREATE = `do $$ begin
  perform pg_advisory_xact_lock(hashtext('twofold.schedules'));
  create schema if not exists schedules;
  create table if not exists schedules.leases (
    name text primary key, holder text not null, leased_until timestamptz not null, due_at timestamptz not null
  );
end $$`

/** Mine when it is due and nobody holds it: one row comes back. */
const TAKE = `
  insert into schedules.leases as held (name, holder, leased_until, due_at)
  values ($1, $2, now() + $3::float8 * interval '1 ms', now() + $4::float8 * interval '1 ms')
  on conflict (name) do update set holder = excluded.holder, leased_until = excluded.leased_until, due_at = excluded.due_at
    where held.leased_until <= now() and held.due_at <= now()
  returning name`

const RENEW = `update schedules.leases set leased_until = now() + $3::float8 * interval '1 ms' where name = $1 and holder = $2`
const FREE = 'update schedules.leases set leased_until = now() where name = $1 and holder = $2'
const WAIT = `select greatest(0, extract(epoch from greatest(leased_until, due_at) - now()) * 1000) as ms from schedules.leases where name = $1`

/** Another process may free its lease early, so nobody sleeps longer than this on what the table says. */
const LONGEST_WAIT_MS = 60_000

export async function openScheduler({ sql, leaseMs = 30_000, log }: SchedulerOptions): Promise<Scheduler> {
  await sql(CREATE)
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`
  const stopping = new AbortController()
  const loops: Promise<void>[] = []
  // The database is the same for all: it is told once, however long it lasts and however many meet it.
  let away = false

  async function held(name: string, run: (stop: AbortSignal) => Promise<unknown>): Promise<void> {
    const renewal = setInterval(() => sql(RENEW, [name, holder, leaseMs]).catch(() => undefined), leaseMs / 3)
    try {
      await run(stopping.signal)
    } catch (error) {
      log(`schedule ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    } finally {
      clearInterval(renewal)
      await sql(FREE, [name, holder])
    }
  }

  async function loop(name: string, ms: number, run: (stop: AbortSignal) => Promise<unknown>): Promise<void> {
    while (!stopping.signal.aborted) {
      let wait = ms
      // What was asked before it went may still be answered, and says nothing of now.
      const toldBefore = away
      try {
        const taken = await sql(TAKE, [name, holder, leaseMs, ms])
        if (taken.length > 0) await held(name, run)
        wait = Number((await sql(WAIT, [name]))[0]?.ms ?? ms)
        if (toldBefore) away = false
      } catch (error) {
        if (!away) log(`schedules cannot reach their leases: ${reasonOf(error)}`)
        away = true
      }
      // Never less than 5 ms, as the clocks of the database and this process may round differently.
      await sleep(Math.max(5, Math.min(wait, ms, LONGEST_WAIT_MS)), undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  return {
    every(name, ms, run) {
      loops.push(loop(name, ms, run))
    },
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}
