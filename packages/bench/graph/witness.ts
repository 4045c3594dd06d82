import neo4j, { type Driver, type Session } from 'neo4j-driver-lite'
import type { Neo4jPlace } from './stores.ts'

/** Counts what goes on between this process, its drivers and the graph, where it happens. */
export interface Witness {
  driver: Driver
  /** Sessions that any driver of this process has opened, and how many of them are open. */
  sessions: { opened: number; open: number }
  /** Connections that are not back in the pools of those drivers, by what the pools count themselves. */
  inUse(): number
  /**
   * Transactions that the server has begun, reads and its answers to this question included: it numbers them. Neo4j
   * Community counts nothing else about them.
   */
  transactions(): Promise<number>
  /** Transactions that run on the server at this moment beside the one that asks. */
  running(): Promise<number>
  /** Connections of others to the server. */
  connections(): Promise<number>
  version(): Promise<string>
  close(): Promise<void>
}

const DATABASE = 'neo4j'
const OWN = `SHOW TRANSACTIONS YIELD transactionId, currentQuery`

export function openWitness({ uri, username, password }: Neo4jPlace): Witness {
  const driver = neo4j.driver(uri, neo4j.auth.basic(username, password), { disableLosslessIntegers: true, userAgent: 'twofold-bench' })
  const sessions = { opened: 0, open: 0 }
  const drivers = watch(driver, sessions)
  const ask = async (text: string) => {
    const { records } = await driver.executeQuery(text, {}, { database: DATABASE })
    return records.map((record) => record.toObject())
  }
  const apart = async <T>(work: () => Promise<T>): Promise<T> => {
    const before = sessions.opened
    const answer = await work()
    sessions.opened = before
    return answer
  }
  return {
    driver,
    sessions,
    inUse: () => [...drivers].map(inUse).reduce((a, b) => a + b, 0),
    transactions: () =>
      apart(async () => {
        const own = (await ask(OWN)).find(({ currentQuery }) => currentQuery === OWN)
        return Number(own?.transactionId.split('-').at(-1))
      }),
    running: () => apart(async () => (await ask(OWN)).filter(({ currentQuery }) => currentQuery !== OWN).length),
    connections: () =>
      apart(async () => {
        const all = await ask('CALL dbms.listConnections() YIELD userAgent')
        return all.filter(({ userAgent }) => userAgent !== 'twofold-bench').length
      }),
    version: () => apart(async () => (await ask('CALL dbms.components() YIELD versions')).at(0)?.versions[0]),
    close: () => driver.close(),
  }
}

/** Every driver of a process is of one class; `session` is the only door to its connections that the service and these measurements use. */
function watch(driver: Driver, sessions: Witness['sessions']): Set<Driver> {
  const seen = new Set<Driver>()
  const shared = Object.getPrototypeOf(driver) as Driver
  const open = shared.session
  shared.session = function (this: Driver, config) {
    seen.add(this)
    const session = open.call(this, config) as Session
    const close = session.close
    let left = 1
    sessions.opened++
    sessions.open++
    session.close = async function (this: Session) {
      await close.call(this)
      sessions.open -= left
      left = 0
    }
    return session
  }
  return seen
}

/** The driver shows this to nobody. */
const inUse = (driver: Driver): number =>
  Object.values<number>((driver as any)._connectionProvider?._connectionPool?._activeResourceCounts ?? {}).reduce((a, b) => a + b, 0)

export interface Counted {
  sessions: number
  transactions: number
}

/** Sessions and transactions that `work` needs. */
export async function counted(witness: Witness, work: () => Promise<unknown>): Promise<Counted> {
  const [transactions, sessions] = [await witness.transactions(), witness.sessions.opened]
  await work()
  const opened = witness.sessions.opened - sessions
  return { sessions: opened, transactions: (await witness.transactions()) - transactions - 1 }
}
