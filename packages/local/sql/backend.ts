import { line } from '@twofold/resilience/line.ts'
import type { Pool, PoolClient } from 'pg'
import { reasonOf } from '../reason.ts'
import { Batch, type Prepared, type SqlResult, type SqlStatement } from './batch.ts'

export interface TransactionMode {
  isolation?: 'READ UNCOMMITTED' | 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE'
  readOnly?: boolean
  deferrable?: boolean
}

/**
 * Where `/sql` sends its statements: PGlite or any Postgres, told apart only by the socket behind the pool. Whoever finds
 * every connection in use waits in line, until `signal` says that nobody waits for his answer any more.
 */
export interface SqlBackend {
  /** Runs one statement by itself. Rejects with Postgres's own error. */
  single(statement: SqlStatement, signal?: AbortSignal): Promise<SqlResult>
  /** Runs all in order in one transaction; the first error rolls all of it back and is the rejection. */
  transaction(statements: readonly SqlStatement[], mode: TransactionMode, signal?: AbortSignal): Promise<SqlResult[]>
  close(): Promise<void>
}

/** JIT costs more than these statements take. */
export const SESSION_SETTINGS = 'set jit = off'

export function poolBackend(pool: Pool, log: (message: string) => void): SqlBackend {
  const prepared = new WeakMap<PoolClient, Prepared>()
  pool.on('error', (error) => log(`a database connection broke: ${error.message}`))
  // The pool's own line ends after the time that connecting may take, and a crowd is told that the database is not there.
  const connections = line(pool.options.max)

  const run = (statements: readonly SqlStatement[], inTransaction: boolean, signal?: AbortSignal): Promise<SqlResult[]> =>
    connections.wait(() => sendFresh(statements, inTransaction), signal)

  async function sendFresh(statements: readonly SqlStatement[], inTransaction: boolean): Promise<SqlResult[]> {
    try {
      return await send(statements, inTransaction)
    } catch (error) {
      if (!isStale(error)) throw error
      return send(statements, inTransaction)
    }
  }

  async function send(statements: readonly SqlStatement[], inTransaction: boolean): Promise<SqlResult[]> {
    const client = await pool.connect().catch(notConnected)
    const known = prepared.get(client) ?? { names: new Map(), made: 0 }
    prepared.set(client, known)
    let broken: Error | undefined
    const watch = (error: Error) => {
      broken = error
    }
    client.on('error', watch)
    try {
      return await client.query(new Batch(statements, known)).done
    } catch (error) {
      if (inTransaction && !broken) await client.query('rollback').catch(watch)
      if (isStale(error)) {
        known.names.clear()
        await client.query('deallocate all').catch(watch)
      }
      throw error
    } finally {
      client.off('error', watch)
      client.release(broken)
    }
  }

  return {
    single: async (statement, signal) => (await run([statement], false, signal))[0] as SqlResult,
    async transaction(statements, mode, signal) {
      const list = [{ query: begin(mode), params: [] }, ...statements, { query: 'commit', params: [] }]
      return (await run(list, true, signal)).slice(1, -1)
    },
    close: () => pool.end(),
  }
}

/** As Postgres's drivers say it (08001), so that everybody can tell that nothing was sent. What Postgres says itself stays as it is. */
function notConnected(error: Error): never {
  if ('severity' in error) throw error
  throw Object.assign(new Error(reasonOf(error), { cause: error }), { severity: 'FATAL', code: '08001' })
}

/** A prepared statement whose table has changed since, or that was deallocated. Nothing of the list has happened, so it may be sent again. */
const isStale = (error: unknown): boolean => {
  const { code, routine } = error as { code?: string; routine?: string }
  return code === '26000' || routine === 'RevalidateCachedQuery'
}

function begin({ isolation, readOnly, deferrable }: TransactionMode): string {
  const words = ['begin']
  if (isolation) words.push('isolation level', isolation)
  if (readOnly !== undefined) words.push(readOnly ? 'read only' : 'read write')
  if (deferrable !== undefined) words.push(deferrable ? 'deferrable' : 'not deferrable')
  return words.join(' ')
}
