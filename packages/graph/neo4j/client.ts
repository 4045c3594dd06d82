import { type Breaker, breaker } from '@twofold/resilience/breaker.ts'
import { retry } from '@twofold/resilience/retry.ts'
import type { Driver, Session as DriverSession, RecordShape, Result, SessionMode, Transaction } from 'neo4j-driver-lite'
import { Clock, unlessAborted } from './clock.ts'
import type { Cypher } from './cypher.ts'
import { type Neo4jOptions, openDriver } from './driver.ts'
import { graphError, isAway, isConflict, isTransient, Silent } from './judge.ts'
import { migrate } from './migrate.ts'

/** A store that says nothing for so long is taken for stuck, whoever gave up on it. */
const SILENT_MS = 900
/** How long tidying up is waited for; it goes on afterwards by itself. */
const TIDYING_MS = 1_000
/** A look at what has been recorded, or all indexes of an empty graph: longer only on a line that says nothing any more. */
const MIGRATING_MS = 60_000
/** Deadlocks end by themselves; there is time for about eight attempts in ten seconds. */
const CONFLICTS = 20

const ACCESS = 'show databases yield name, aliases, access where name = $database or $database in aliases return access'
/** How long the answer to that is good for. */
const ACCESS_MS = 10_000

/** One driver: its pool, what stands between a statement and the server, and the count of what is open. */
export class Client {
  readonly usage = { opened: 0, open: 0, transactions: 0 }
  readonly circuit: Breaker
  readonly #options: Neo4jOptions
  readonly #driver: Driver
  #migrated: Promise<unknown> | undefined
  readonly #access: { writes: boolean; until: number; asked: Promise<void> | undefined } = { writes: true, until: 0, asked: undefined }

  constructor(options: Neo4jOptions) {
    this.#options = options
    this.#driver = openDriver(options, options.pool.max)
    this.circuit = breaker(options.breaker, isAway)
  }

  open(access: SessionMode, bookmarks: string[]): DriverSession {
    this.#options.count?.('session')
    this.usage.opened++
    this.usage.open++
    return this.#driver.session({ database: this.#options.database, defaultAccessMode: access, bookmarks })
  }

  /** Resets what is still under way, so that the server ends it too. Settles in any case, if need be before that is done. */
  async close(session: DriverSession): Promise<void> {
    const closed = session
      .close()
      .catch(() => undefined)
      .finally(() => {
        this.usage.open--
        this.#options.count?.('closed')
      })
    await unlessAborted(closed, AbortSignal.timeout(TIDYING_MS)).catch(() => undefined)
  }

  /** Brings the graph's schema up to date and opens connections, if the server is there: it is asked once. */
  async warm(): Promise<void> {
    const channels = Array.from({ length: this.#options.pool.min }, () => new Channel(this, 'READ'))
    const ask = (channel: Channel | undefined) =>
      this.within('warm', new Clock({}), async () => {
        await this.#ready()
        await channel?.session.run('return 1')
      })
    try {
      await ask(undefined)
      await Promise.all(channels.map(ask))
    } catch (error) {
      this.#options.log.warn('graph.away', { reason: error instanceof Error ? reasonOf(error) : '' })
    } finally {
      await Promise.all(channels.map((channel) => channel.close()))
    }
  }

  /** A statement as a transaction of its own, repeated while that may help and time is left. */
  async run<Row>(step: string, clock: Clock, cypher: Cypher<Row>, channel: Channel): Promise<Row[]> {
    return this.#repeated(step, clock, channel, async () => {
      this.#count('transaction')
      return rowsOf<Row>(channel.session.run(cypher.text, cypher.parameters, { timeout: clock.left }))
    })
  }

  begin(step: string, clock: Clock, channel: Channel): Promise<Transaction> {
    return this.#repeated(step, clock, channel, async () => {
      this.#count('transaction')
      return channel.session.beginTransaction({ timeout: clock.left })
    })
  }

  /** Something in a transaction that is open: tried once. */
  async within<T>(step: string, clock: Clock, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#answered(clock.signal, work)
    } catch (error) {
      throw graphError(step, error, step === 'commit')
    }
  }

  /** Whether the server answers a question within a second. */
  async isThere(): Promise<boolean> {
    const channel = new Channel(this, 'READ')
    try {
      await this.within('health', new Clock({ timeoutMs: TIDYING_MS }), () => channel.session.run('return 1'))
      await channel.close()
      return true
    } catch {
      channel.drop()
      return false
    }
  }

  /**
   * Whether the server takes writes into this database, as it says itself: one that is read-only answers everything else.
   * Asked at most every ten seconds. Until it has said so, which takes a server long that has just started, what it said
   * before counts; true at first.
   */
  async takesWrites(): Promise<boolean> {
    if (performance.now() >= this.#access.until) {
      this.#access.asked ??= this.#askAccess()
      await unlessAborted(this.#access.asked, AbortSignal.timeout(TIDYING_MS)).catch(() => undefined)
    }
    return this.#access.writes
  }

  /** Not through the breaker, as nothing depends on it. */
  async #askAccess(): Promise<void> {
    const channel = new Channel(this, 'READ')
    try {
      const { database } = this.#options
      const asked = rowsOf<{ access: string }>(channel.session.run(ACCESS, { database }))
      const [row] = await unlessAborted(asked, AbortSignal.timeout(MIGRATING_MS))
      this.#access.writes = row?.access !== 'read-only'
    } catch {
      // It keeps that to itself, or is away, which others find out.
    } finally {
      channel.drop()
      Object.assign(this.#access, { asked: undefined, until: performance.now() + ACCESS_MS })
    }
  }

  async end(): Promise<void> {
    await unlessAborted(this.#driver.close(), AbortSignal.timeout(TIDYING_MS)).catch(() => undefined)
  }

  async #repeated<T>(step: string, clock: Clock, channel: Channel, work: () => Promise<T>): Promise<T> {
    const { signal } = clock
    const { attempts, delayMs } = this.#options.retry
    let failed = 0
    const again = (error: unknown) => !signal.aborted && isTransient(error) && (isConflict(error) || ++failed < attempts)
    const onRetry = (error: unknown) => {
      this.#count('retry')
      this.#options.log.warn('graph.retry', { step, reason: error instanceof Error ? reasonOf(error) : '' })
    }
    const attempt = async () => {
      signal.throwIfAborted()
      return this.#answered(signal, async () => {
        await this.#ready()
        return work()
      })
    }
    try {
      return await unlessAborted(retry({ attempts: CONFLICTS, delayMs }, { again, onRetry }, attempt), signal)
    } catch (error) {
      if (signal.aborted) channel.drop()
      throw graphError(step, error)
    }
  }

  /** Tells the breaker what became of it. */
  #answered<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const since = performance.now()
    return this.circuit.run(async () => {
      try {
        return await unlessAborted(work(), signal)
      } catch (error) {
        if (signal.aborted && performance.now() - since >= SILENT_MS) throw new Silent('Neo4j did not answer in time', { cause: error })
        throw error
      }
    })
  }

  /** Nothing is written before the constraints are there: once per process, one look at what has been recorded. */
  #ready(): Promise<unknown> {
    this.#migrated ??= unlessAborted(migrate(this.#driver, this.#options.database), AbortSignal.timeout(MIGRATING_MS)).catch(
      (error: unknown) => {
        this.#migrated = undefined
        throw error
      },
    )
    return this.#migrated
  }

  #count(what: 'transaction' | 'retry'): void {
    this.#options.count?.(what)
    if (what === 'transaction') this.usage.transactions++
  }
}

/** A session of the driver: opened by the first who needs it, and opened anew, after what it has seen, when one was given up. */
export class Channel {
  readonly #client: Client
  readonly #access: SessionMode
  #session: DriverSession | undefined
  #bookmarks: string[] = []

  constructor(client: Client, access: SessionMode) {
    this.#client = client
    this.#access = access
  }

  /** Another one, to read at the same time what this one has written. */
  beside(): Channel {
    const channel = new Channel(this.#client, 'READ')
    channel.#bookmarks = this.#session?.lastBookmarks() ?? this.#bookmarks
    return channel
  }

  get session(): DriverSession {
    this.#session ??= this.#client.open(this.#access, this.#bookmarks)
    return this.#session
  }

  /** Lets go of it without waiting. */
  drop(): void {
    void this.close()
  }

  async close(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    if (session === undefined) return
    this.#bookmarks = session.lastBookmarks()
    await this.#client.close(session)
  }
}

const reasonOf = (error: Error): string => ((error.cause ?? error) as { code?: string }).code ?? error.name

export const rowsOf = async <Row>(result: Result<RecordShape>): Promise<Row[]> =>
  (await result).records.map((record) => record.toObject() as Row)
