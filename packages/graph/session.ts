import { GraphStoreError } from '@twofold/core/failures.ts'
import type { GraphOptions, GraphSession } from '@twofold/core/graph/port.ts'

export type Limits = Pick<GraphOptions, 'signal' | 'timeoutMs'>

/**
 * What sessions of every adapter have in common: calls go one after the other, within the time that is left for all of
 * them, and whoever waits for the decision hears it. An adapter adds what it holds open.
 */
export class Session implements GraphSession {
  readonly mode: GraphSession['mode']
  readonly #signal: AbortSignal | undefined
  #deadline = Number.POSITIVE_INFINITY
  #state: 'idle' | 'busy' | 'ended' = 'idle'
  #tenant: string | undefined
  #failure: unknown
  readonly #waiting: ((stands: boolean) => Promise<void>)[] = []

  constructor(mode: GraphSession['mode'], { signal, timeoutMs }: Limits = {}) {
    this.mode = mode
    this.#signal = signal
    this.#shorten(timeoutMs)
  }

  #shorten(timeoutMs: number | undefined): void {
    if (timeoutMs !== undefined) this.#deadline = Math.min(this.#deadline, performance.now() + timeoutMs)
  }

  /** One call of the port, with what is left for it: refused while another is under way, after the end and when time is up. */
  async call<T>(step: string, tenant: string, { signal, timeoutMs }: Limits, work: (limits: Limits) => Promise<T>): Promise<T> {
    if (this.#state === 'ended') throw new Error(`${step}: the graph session has ended`)
    if (this.#state === 'busy') throw new Error(`${step}: another call of this graph session is under way; await it first`)
    if (this.#failure !== undefined) throw this.#failure
    if (this.mode === 'atomic') {
      this.#tenant ??= tenant
      if (tenant !== this.#tenant) throw new Error(`${step}: an atomic graph session is of one tenant`)
      this.#shorten(timeoutMs)
    }
    this.#state = 'busy'
    try {
      return await work(this.limits(step, { signal, timeoutMs }))
    } catch (error) {
      if (this.mode === 'atomic') this.#failure = error
      throw error
    } finally {
      if (this.#state === 'busy') this.#state = 'idle'
    }
  }

  /** What is left for something that may itself take `timeoutMs`; throws when that is nothing, or it was given up. */
  limits(step: string, { signal, timeoutMs = Number.POSITIVE_INFINITY }: Limits = {}): Limits {
    const left = Math.min(timeoutMs, this.#deadline - performance.now())
    if (left <= 0) throw new GraphStoreError(step, { retryable: true, cause: new Error('the time of the graph session is up') })
    const signals = [signal, this.#signal].filter((s) => s !== undefined)
    const up = signals.find((s) => s.aborted)
    if (up) throw new GraphStoreError(step, { retryable: true, cause: up.reason })
    return {
      ...(left < Number.POSITIVE_INFINITY ? { timeoutMs: left } : {}),
      ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    }
  }

  async whenDecided(then: (stands: boolean) => Promise<void>): Promise<void> {
    if (this.#state === 'ended') throw new Error('the graph session has ended')
    if (this.mode === 'reuse') await then(true)
    else this.#waiting.push(then)
  }

  /**
   * Runs `work`, then `commit`; `rollback` when either of them threw. Then, before it answers, tells those who wait.
   * What `work` or `commit` threw comes before what any of these throw, and a rollback that fails changes nothing.
   */
  async run<T>(
    work: (session: this) => Promise<T>,
    { commit = async () => undefined, rollback = async () => undefined }: { commit?(): Promise<void>; rollback?(): Promise<void> } = {},
  ): Promise<T> {
    let result: T
    try {
      result = await work(this)
      this.#end()
      await commit()
    } catch (error) {
      this.#state = 'ended'
      await rollback().catch(() => undefined)
      await this.#tell(false).catch(() => undefined)
      throw error
    }
    await this.#tell(true)
    return result
  }

  #end(): void {
    if (this.#state === 'busy') throw new Error('the work of a graph session ended before a call it had made; await it')
    this.#state = 'ended'
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Everybody is told, whatever comes of it with another. */
  async #tell(stands: boolean): Promise<void> {
    const told = await Promise.allSettled(this.#waiting.map((then) => then(stands)))
    for (const each of told) if (each.status === 'rejected') throw each.reason
  }
}
