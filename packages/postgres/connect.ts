import { VectorStoreError } from '@twofold/core/failures.ts'
import type { Authorized, Database, Log, Rows } from '@twofold/core/ports.ts'
import { type Statement, sql } from '@twofold/core/sql.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { type BreakerSettings, breaker, isBrokenCircuitError } from '@twofold/resilience/breaker.ts'
import { type RetrySettings, retry } from '@twofold/resilience/retry.ts'
import { type Endpoint, sender } from './endpoint.ts'
import { judge, type Verdict } from './judge.ts'

export interface Connection extends Endpoint {
  retry: RetrySettings
  breaker: BreakerSettings
  /** Which of several places this database is; it acts for no tenant that lives at another. Default: home. */
  place?: string
  /** How long one attempt may take before the database counts as not answering. */
  timeoutMs: number
  now(): Date
  log: Log
}

/** The database gives up before we do: a statement that is slow is then an answer, and no reason to send it again or to open the breaker. */
const ITS_PART = 0.8

/** An attempt that failed, with what may be done about it. Never leaves this file. */
class Failed extends Error {
  readonly verdict: Verdict

  constructor(verdict: Verdict) {
    super(verdict.reason)
    this.verdict = verdict
  }
}

interface Run {
  write: boolean
  /** May not be sent again unless the first certainly never arrived. */
  once: boolean
  signal?: AbortSignal
  name: string
}

/** Lists of background work are idempotent. */
const BACKGROUND = { write: false, once: false }

/** The database over HTTP, under the unprivileged role. What it promises is said at `Database`. */
export function connect(connection: Connection): Database {
  const send = sender(connection)
  const circuit = breaker(connection.breaker, (error) => error instanceof Failed && error.verdict.connection)

  const attempt = (statements: readonly Statement<any>[], signal: AbortSignal | undefined, timeoutMs: number) => async () => {
    const deadline = AbortSignal.timeout(timeoutMs)
    try {
      return await send(statements, signal ? AbortSignal.any([signal, deadline]) : deadline)
    } catch (error) {
      if (signal?.aborted) {
        throw new Refusal(
          'timeout',
          'The request ended before the database answered; what it asked for may have been done.',
          {},
          { cause: signal.reason },
        )
      }
      throw new Failed(judge(error))
    }
  }

  async function run(statements: readonly Statement<any>[], { write, once, signal, name }: Run): Promise<Record<string, unknown>[][]> {
    const again = (error: unknown): boolean => {
      const able = error instanceof Failed ? error.verdict.again : 'never'
      return !signal?.aborted && (able === 'always' || (able === 'reads' && !once))
    }
    let unsure = false
    const onRetry = (error: unknown) =>
      connection.log.warn('database.retry', { operation: name, reason: error instanceof Error ? error.message : '' })
    const one = attempt(statements, signal, connection.timeoutMs)
    const sent = async () => {
      try {
        return await one()
      } catch (error) {
        // Once it may have arrived, no later failure can say that nothing happened.
        unsure ||= write && error instanceof Failed && error.verdict.connection && error.verdict.again === 'reads'
        throw error
      }
    }
    try {
      return await retry(connection.retry, { again, onRetry }, () => circuit.run(sent))
    } catch (error) {
      const failure = error instanceof Failed ? error.verdict.error : error
      const away = isBrokenCircuitError(failure) || failure instanceof VectorStoreError
      throw away ? new VectorStoreError('database', { retryable: true, unsure, cause: failure }) : failure
    }
  }

  const begin = (
    first: Statement,
    plans: 'auto' | 'force_custom_plan' = 'auto',
  ) => sql`select set_config('role', 'twofold_app', true), set_config('search_path', 'twofold, public', true),
    set_config('lock_timeout', '5s', true), set_config('statement_timeout', ${String(Math.ceil(connection.timeoutMs * ITS_PART))}, true),
    set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true), set_config('jit', 'off', true),
    set_config('twofold.place', ${connection.place ?? 'home'}, true), ${first} as first,
    set_config('plan_cache_mode', ${plans}, true)`

  return {
    async asCaller(caller, ranges, statements, { write = false, repeatable = false } = {}) {
      const { source } = caller
      const key = source
        ? sql`twofold.act_for_source(${source.tenant}, ${source.name}, ${caller.scope}, ${caller.requestId})`
        : sql`twofold.authorize(${caller.keyHash}::bytea, ${caller.scope}, ${ranges?.map((r) => r.low) ?? null}::text[],
        ${ranges?.map((r) => r.high) ?? null}::text[], ${connection.now()}::timestamptz, ${caller.requestId}, ${caller.onBehalfOf})`
      // How much lies in a range decides how it is best read, and a generic plan knows no partial index of vectors. All else
      // is by id, and planned once: in the embedded store a get took 1.6 ms of processor and takes 0.5, a store 7.2 and 5.3.
      const authorize = begin(key, ranges !== null && !write ? 'force_custom_plan' : 'auto')
      const [first, ...rows] = await caller.timings.measure('db', () =>
        run([authorize, ...statements], { write, once: write && !repeatable, signal: caller.signal, name: caller.operation }),
      )
      return { authorized: first?.[0]?.first as Authorized, rows: rows as Rows<typeof statements> }
    },

    async asTenant(tenant, statements) {
      const [, ...rows] = await run([begin(sql`twofold.act_for(${tenant}::uuid)`), ...statements], { ...BACKGROUND, name: 'tenant' })
      return rows as Rows<typeof statements>
    },

    async across(statements, { write = false, repeatable = true } = {}) {
      const [, ...rows] = await run([begin(sql`null`), ...statements], { write, once: write && !repeatable, name: 'across' })
      return rows as Rows<typeof statements>
    },

    async health() {
      const answered = await circuit.run(attempt([sql`select 1`], undefined, 2000)).then(
        () => true,
        () => false,
      )
      const state = circuit.state
      return { available: answered, healthy: answered && state === 'closed', lastCheck: connection.now().toISOString(), breaker: state }
    },
  }
}
