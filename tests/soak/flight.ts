import type { Clock } from './clock.ts'
import type { Fault, Trouble } from './commands.ts'

/** How long a call of a store takes, by the clock of the run. */
const CALL_MS = 7

/** One command on its way through the service: what befalls its calls, and where it stands still. */
export class Flight {
  readonly faults: readonly Fault[]
  readonly #clock: Clock
  #busy = 0
  readonly #calls = new Map<Fault['store'], number>()
  /** Calls that stand still, and for how many commands the process does. */
  #frozen: { thaws: (() => void)[]; commands: number | null } | null = null
  #stopped = Promise.withResolvers<'frozen'>()
  #work: Promise<'done'> | null = null
  /** How the work ended. */
  failure: unknown = null
  /** Whether something went otherwise than it should: what it is answered can then be anything that is true. */
  troubled = false

  constructor(faults: readonly Fault[], clock: Clock) {
    this.faults = faults
    this.#clock = clock
  }

  /** Runs until it is done or stands still. */
  async start(work: () => Promise<void>): Promise<'done' | 'frozen'> {
    this.#work = work().then(
      () => 'done' as const,
      (error) => {
        this.failure = error
        return 'done' as const
      },
    )
    return this.#go()
  }

  #go(): Promise<'done' | 'frozen'> {
    return Promise.race([this.#work as Promise<'done'>, this.#stopped.promise])
  }

  /** For as long as the process lives nothing thaws it. */
  get dead(): boolean {
    return this.#frozen !== null && this.#frozen.commands === null
  }

  /** A command has passed: true when it is time to go on. */
  waited(): boolean {
    if (!this.#frozen || this.#frozen.commands === null) return false
    this.#frozen.commands--
    return this.#frozen.commands <= 0
  }

  /** Goes on where it stands still. */
  thaw(): Promise<'done' | 'frozen'> {
    const frozen = this.#frozen
    this.#frozen = null
    this.#stopped = Promise.withResolvers()
    for (const thaw of frozen?.thaws ?? []) thaw()
    return this.#go()
  }

  /** One call of a store, of which several can be under way at once: only when no other is does the flight stand still. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
      this.#still()
    }
  }

  #still(): void {
    if (this.#frozen && this.#busy === 0) this.#stopped.resolve('frozen')
  }

  /** What befalls the next call of this store. */
  next(store: Fault['store']): Trouble | null {
    const at = this.#calls.get(store) ?? 0
    this.#calls.set(store, at + 1)
    this.#clock.pass(CALL_MS)
    const fault = this.faults.find((each) => each.store === store && (each.at === 'every' || each.at === at))
    if (fault) this.troubled = true
    return fault?.what ?? null
  }

  /** Lets time pass, or the process stand still, when it is to before or after a call. */
  async pause(trouble: Trouble | null, side: 'before' | 'after'): Promise<void> {
    if (trouble === null || typeof trouble === 'string' || trouble.side !== side) return
    if ('slow' in trouble) return this.#clock.pass(trouble.slow)
    const { promise, resolve } = Promise.withResolvers<void>()
    const { thaws, commands } = this.#frozen ?? { thaws: [], commands: 0 }
    const forGood = commands === null || trouble.freezes === null
    this.#frozen = { thaws: [...thaws, resolve], commands: forGood ? null : Math.max(commands, trouble.freezes ?? 0) }
    this.#busy--
    this.#still()
    await promise
    this.#busy++
  }
}
