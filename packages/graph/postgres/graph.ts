import { GraphStoreError, SqlError } from '@twofold/core/failures.ts'
import type { GraphCounts, GraphOptions, GraphPort } from '@twofold/core/graph/port.ts'
import type { Database, Rows } from '@twofold/core/ports.ts'
import type { Statement } from '@twofold/core/sql.ts'
import { limitTo, purgeTombstones, replaceEdges, upsertNodes } from './apply.sql.ts'
import { count, type TraversalRow, traverse } from './traverse.sql.ts'

/**
 * The embedded graph: tables in the schema `graph` of the database that `db` reaches. A call is one round trip and one
 * transaction. It has neither health nor breaker of its own: it is there when Postgres is.
 */
export function postgresGraph({ db, now }: { db: Database; now: () => Date }): GraphPort {
  async function run<const S extends readonly Statement<any>[]>(
    step: string,
    tenant: string,
    { signal, timeoutMs }: GraphOptions,
    statements: S,
  ): Promise<Rows<S>> {
    const limits = timeoutMs === undefined ? [] : [limitTo(timeoutMs)]
    const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)))]
    try {
      const rows = await unlessAborted(
        db.asTenant(tenant, [...limits, ...statements]),
        AbortSignal.any(signals.filter((s) => s !== undefined)),
      )
      return rows.slice(limits.length) as unknown as Rows<S>
    } catch (error) {
      throw new GraphStoreError(step, { retryable: !isRefused(error), cause: error })
    }
  }

  return {
    adapter: 'postgres',
    async apply(tenant, batch, options) {
      if (batch.length === 0) return
      await run('apply', tenant, options, [
        upsertNodes(batch, options.generations, now().toISOString()),
        replaceEdges(batch, options.generations),
      ])
    },
    async traverse(tenant, traversal, options) {
      const [rows] = await run('traverse', tenant, options, [traverse(traversal, options.generations[0] as number)])
      const { nodes, edges, cut } = rows[0] as TraversalRow
      return { nodes: nodes ?? [], edges: edges ?? [], cut }
    },
    async counts(tenant, options) {
      const [rows] = await run('counts', tenant, options, [count(options.generations[0] as number)])
      return rows[0] as GraphCounts
    },
    async purge(tenant, before, options) {
      const [rows] = await run('purge', tenant, options, [purgeTombstones(before.toISOString(), options.generations)])
      return rows.length
    },
    health: () => db.health(),
    async close() {},
  }
}

/** Data that Postgres will never take (classes 22 and 23), or that is beyond its limits (54): trying again cannot help. */
const isRefused = (error: unknown): boolean => error instanceof SqlError && /^(22|23|54)/.test(error.code)

/** The driver cannot be told to stop; Postgres is (`limitTo`), and a late apply meets the fence. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort))
}
