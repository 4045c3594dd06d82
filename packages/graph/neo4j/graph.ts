import type { GraphOptions, GraphPort } from '@twofold/core/graph/port.ts'
import type { SessionMode, Transaction } from 'neo4j-driver-lite'
import { Session } from '../session.ts'
import { apply, purge } from './apply.cypher.ts'
import { Channel, Client, rowsOf } from './client.ts'
import { Clock } from './clock.ts'
import { type Neo4jOptions, type Neo4jServer, openDriver } from './driver.ts'
import { dropSome } from './drop.cypher.ts'
import { count, hold, shownOf } from './held.cypher.ts'
import { migrate } from './migrate.ts'
import { prune } from './prune.cypher.ts'
import { claimants, findStrays, type Query, readHeads, sumUp } from './sums.cypher.ts'
import { traverse } from './traverse.cypher.ts'

export type { Neo4jOptions, Neo4jServer } from './driver.ts'

export interface Neo4jGraph extends GraphPort {
  /** Sessions opened and transactions begun since the start, and sessions open now: each holds at most one connection. */
  usage(): { opened: number; open: number; transactions: number }
  /** Resolves once connections and schema are ready, or could not be made so; never rejects. Nobody has to wait. */
  readonly warmed: Promise<void>
}

class Neo4jSession extends Session {
  channel!: Channel
  transaction: Transaction | undefined
}

/**
 * The graph in Neo4j 5.26 or later. A call is one statement, a traversal one for each hop and one more: in a session of its own
 * or of `reuse` each an auto-commit transaction, repeated while what failed is transient; in `atomic` a part of the one
 * transaction, tried once.
 * Constraints and indexes are made before the first write of a process.
 */
export function neo4jGraph(options: Neo4jOptions): Neo4jGraph {
  const client = new Client(options)
  const { now, pool } = options

  /** One call of the port, by itself or in its session: `work` is given what runs a statement there, and what runs one at the same time. */
  async function call<T>(
    step: string,
    tenant: string,
    options: GraphOptions,
    access: SessionMode,
    work: (query: Query, beside: Query) => Promise<T>,
  ): Promise<T> {
    const { session } = options
    const inChannel = (channel: Channel, clock: Clock): Promise<T> => {
      const query: Query = (cypher) => client.run(step, clock, cypher, channel)
      const beside: Query = (cypher) => {
        const other = channel.beside()
        return client.run(step, clock, cypher, other).finally(() => other.close())
      }
      return work(query, pool.max > 1 ? beside : query)
    }
    if (session === undefined) {
      const channel = new Channel(client, access)
      return inChannel(channel, new Clock(options)).finally(() => channel.close())
    }
    if (!(session instanceof Neo4jSession)) throw new Error(`${step}: the session is not one of this graph`)
    return session.call(step, tenant, options, async (limits) => {
      const clock = new Clock(limits)
      if (session.mode === 'reuse') return inChannel(session.channel, clock)
      session.transaction ??= await client.begin(step, clock, session.channel)
      const { transaction } = session
      const query: Query = (cypher) => client.within(step, clock, () => rowsOf(transaction.run(cypher.text, cypher.parameters)))
      return work(query, query)
    })
  }

  const one = <Row>(rows: readonly Row[]): Row => rows[0] as Row

  return {
    adapter: 'neo4j',
    async apply(tenant, batch, options) {
      if (batch.length === 0) return
      const cypher = apply(tenant, batch, options.generations, now().toISOString())
      await call('apply', tenant, options, 'WRITE', (query) => query(cypher))
    },
    traverse: (tenant, traversal, options) =>
      call('traverse', tenant, options, 'READ', (query) => traverse(query, tenant, traversal, options.generations[0] as number)),
    counts: (tenant, options) =>
      call('counts', tenant, options, 'READ', async (query) => one(await query(count(tenant, options.generations[0] as number)))),
    async held(tenant, which, options) {
      const cypher = hold(tenant, which, options.generations[0] as number)
      return (await call('held', tenant, options, 'READ', (query) => query(cypher))).map(shownOf)
    },
    sums: (tenant, subjects, options) =>
      call('sums', tenant, options, 'READ', (...queries) => sumUp(queries, tenant, subjects, options.generations[0] as number)),
    heads: (tenant, which, options) =>
      call('heads', tenant, options, 'READ', (query) => readHeads(query, tenant, which, options.generations[0] as number)),
    strays: (tenant, most, options) =>
      call('strays', tenant, options, 'READ', (query) => findStrays(query, tenant, most, options.generations[0] as number)),
    async claimants(tenant, ids, options) {
      const cypher = claimants(tenant, ids, options.generations[0] as number)
      return (await call('claimants', tenant, options, 'READ', (query) => query(cypher))).map((row) => row.owner)
    },
    prune: (tenant, what, options) =>
      call('prune', tenant, options, 'WRITE', (query) => prune(query, tenant, what, options.generations[0] as number)),
    async purge(tenant, before, options) {
      const cypher = purge(tenant, before, options.generations)
      return one(await call('purge', tenant, options, 'WRITE', (query) => query(cypher))).purged
    },
    drop: (tenant, generation, most, options) =>
      call('drop', tenant, { ...options, generations: [generation] }, 'WRITE', (query) => dropSome(query, tenant, generation, most)),
    session(mode, work, limits) {
      const session = new Neo4jSession(mode, limits)
      session.channel = new Channel(client, 'WRITE')
      return session.run(work, {
        async commit() {
          const { transaction } = session
          if (transaction) await client.within('commit', new Clock(session.limits('commit')), () => transaction.commit())
          await session.channel.close()
        },
        // Closing resets the connection, which takes back what is open there.
        rollback: () => session.channel.close(),
      })
    },
    async health() {
      const available = await client.isThere()
      const { state } = client.circuit
      const healthy = available && state === 'closed' && (await client.takesWrites())
      return { available, healthy, lastCheck: now().toISOString(), breaker: state }
    },
    usage: () => ({ ...client.usage }),
    warmed: client.warm(),
    close: () => client.end(),
  }
}

/** Makes the constraints and indexes that are missing: a step of a deployment. Returns the numbers of the migrations it ran. */
export async function migrateGraph(server: Neo4jServer): Promise<number[]> {
  const driver = openDriver(server, 1)
  try {
    return await migrate(driver, server.database)
  } finally {
    await driver.close()
  }
}
