import { GraphStoreError, SqlError } from '@twofold/core/failures.ts'
import type { GraphCounts, GraphOptions, GraphPort, Head } from '@twofold/core/graph/port.ts'
import type { Database, Rows } from '@twofold/core/ports.ts'
import { raw, type Statement } from '@twofold/core/sql.ts'
import { type Limits, Session } from '../session.ts'
import { limitTo, purgeTombstones, replaceEdges, upsertNodes } from './apply.sql.ts'
import { dropSome } from './drop.sql.ts'
import { count, type HeldRow, hold } from './held.sql.ts'
import {
  claimants,
  type HeadRow,
  pruneEdges,
  pruneNodes,
  pruneOwners,
  readHeads,
  type StrayRow,
  strayEdges,
  strayNodes,
  sumUp,
} from './sums.sql.ts'
import { type TraversalRow, traverse } from './traverse.sql.ts'

type List = readonly Statement<any>[]

/**
 * Neon's HTTP has no interactive transactions. What an atomic session writes is therefore kept here and sent as one list
 * at its end; a read sends it too, before itself, and takes it back.
 */
class PostgresSession extends Session {
  readonly written: Statement<any>[] = []
  tenant = ''
}

/**
 * The embedded graph: tables in the schema `graph` of the database that `db` reaches. A call is one round trip and one
 * transaction. It has neither health nor breaker of its own: it is there when Postgres is.
 */
export function postgresGraph({ db, now }: { db: Database; now: () => Date }): GraphPort {
  async function send<const S extends List>(step: string, tenant: string, { signal, timeoutMs }: Limits, statements: S): Promise<Rows<S>> {
    const limits = timeoutMs === undefined ? [] : [limitTo(timeoutMs)]
    const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)))]
    try {
      const rows = await unlessAborted(
        () => db.asTenant(tenant, [...limits, ...statements]),
        AbortSignal.any(signals.filter((s) => s !== undefined)),
      )
      return rows.slice(limits.length) as unknown as Rows<S>
    } catch (error) {
      throw new GraphStoreError(step, { retryable: !isRefused(error), cause: error })
    }
  }

  /** One call of the port, by itself or in its session. What is `unanswered` tells no more than that it was taken. */
  async function run<const S extends List>(
    step: string,
    tenant: string,
    options: GraphOptions,
    statements: S,
    kind: 'read' | 'write' | 'unanswered' = 'read',
  ): Promise<Rows<S>> {
    const { session } = options
    if (session === undefined) return send(step, tenant, options, statements)
    if (!(session instanceof PostgresSession)) throw new Error(`${step}: the session is not one of this graph`)
    return session.call(step, tenant, options, async (limits) => {
      if (session.mode === 'reuse') return send(step, tenant, limits, statements)
      const before = session.written.length + 1
      const rows =
        kind === 'unanswered'
          ? []
          : await send(step, tenant, limits, [raw('savepoint own'), ...session.written, ...statements, raw('rollback to savepoint own')])
      if (kind !== 'read') session.written.push(...statements)
      session.tenant = tenant
      return rows.slice(before, -1) as unknown as Rows<S>
    })
  }

  return {
    adapter: 'postgres',
    async apply(tenant, batch, options) {
      if (batch.length === 0) return
      const { generations } = options
      const statements = [upsertNodes(batch, generations, now().toISOString()), replaceEdges(batch, generations)]
      await run('apply', tenant, options, statements, 'unanswered')
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
    async held(tenant, which, options) {
      const [rows] = await run('held', tenant, options, [hold(which, options.generations[0] as number)])
      return rows.map(({ high, low, ...node }: HeldRow) => ({ gone: false, ...node, digest: [high, low] }))
    },
    async purge(tenant, before, options) {
      const [rows] = await run('purge', tenant, options, [purgeTombstones(before.toISOString(), options.generations)], 'write')
      return rows.length
    },
    async drop(tenant, generation, most, options) {
      const [rows] = await run('drop', tenant, { ...options, generations: [generation] }, [dropSome(generation, most)], 'write')
      return rows[0]?.removed ?? 0
    },
    async sums(tenant, subjects, options) {
      const [rows] = await run('sums', tenant, options, [sumUp(subjects, options.generations[0] as number)])
      return rows
    },
    async heads(tenant, which, options) {
      const [rows] = await run('heads', tenant, options, [readHeads(which, options.generations[0] as number)])
      return rows.map(headOf)
    },
    async strays(tenant, most, options) {
      const generation = options.generations[0] as number
      const [nodes, edges] = await run('strays', tenant, options, [strayNodes(most, generation), strayEdges(most, generation)])
      return { nodes: nodes.map(headOf), edges: edges.map((edge: StrayRow) => ({ ...edge, handle: '' })) }
    },
    async claimants(tenant, ids, options) {
      const [rows] = await run('claimants', tenant, options, [claimants(ids, options.generations[0] as number)])
      return rows.map((row) => row.owner)
    },
    async prune(tenant, what, options) {
      const nodes = what.flatMap((one) => ('node' in one ? [one.node] : []))
      const owners = what.flatMap((one) => ('owner' in one ? [one.owner] : []))
      const edges = what.flatMap((one) => ('edge' in one ? [one.edge] : []))
      const generation = options.generations[0] as number
      const statements = [pruneNodes(nodes, generation), pruneOwners(owners, generation), pruneEdges(edges, generation)]
      const removed = await run('prune', tenant, options, statements, 'write')
      return removed.reduce((sum, rows) => sum + (rows[0]?.removed ?? 0), 0)
    },
    session(mode, work, limits) {
      const session = new PostgresSession(mode, limits)
      return session.run(work, {
        async commit() {
          if (session.written.length > 0) await send('commit', session.tenant, session.limits('commit'), session.written)
        },
      })
    },
    health: () => db.health(),
    async close() {},
  }
}

/** Nodes are found again by their ids, edges by all that they are. */
const headOf = ({ high, low, ...head }: HeadRow): Head => ({
  ...head,
  handle: '',
  digest: high === null || low === null ? null : [high, low],
})

/** Data that Postgres will never take (classes 22 and 23), or that is beyond its limits (54): trying again cannot help. */
const isRefused = (error: unknown): boolean => error instanceof SqlError && /^(22|23|54)/.test(error.code)

/** The driver cannot be told to stop once it has sent; Postgres is (`limitTo`), and a late apply meets the fence. */
async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work(), aborted]).finally(() => signal.removeEventListener('abort', abort))
}
