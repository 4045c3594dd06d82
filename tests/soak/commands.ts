import fc from 'fast-check'

/** What a run is made of: plain data, so that a counterexample can be read and says all that happened. */
export type Command = { faults: Fault[] } & Step

export type Step =
  | { do: 'remember'; given: Given; mode: Mode; once: number | null }
  | { do: 'batch'; items: Given[]; atomic: boolean; once: number | null }
  | { do: 'update'; which: number; changes: Changing; match: 'right' | 'wrong' | null; wait: boolean; once: number | null }
  | { do: 'forget'; which: number; hard: boolean; cascade: boolean; once: number | null }
  | { do: 'restore'; which: number; version: number | null; once: number | null }
  /** The same request as one some commands ago. */
  | { do: 'again'; back: number }
  | { do: 'entity'; subject: number; name: number; once: number | null }
  | { do: 'link'; subject: number; from: number; to: number; confidence: number; wait: boolean; once: number | null }
  | { do: 'start' | 'end'; session: number; once: number | null }
  /** Messages of the queue, which may stay there to come again. */
  | { do: 'deliver'; which: number; count: number; keep: boolean }
  /** A graph write of long ago that was on its way. */
  | { do: 'arrive'; which: number }
  | { do: Sweep }
  | { do: 'sync'; operation: 'check' | 'repair' | 'full' | 'rebuild'; deep: boolean; all: boolean; clear: boolean }
  /** Stops the run that was begun last. */
  | { do: 'stop' }
  | { do: 'pass'; ms: number }

export const SWEEPS = [
  'pending',
  'expire',
  'backfill',
  'collect',
  'purge',
  'requests',
  'changed',
  'nightly',
  'runs',
  'retired',
  'poison',
  'relay',
] as const
export type Sweep = (typeof SWEEPS)[number]
export type Mode = 'queue' | 'wait' | 'rollback'

export interface Given {
  /** One of few ids of the caller's own, so that ids meet again. */
  id: number | null
  key: number | null
  place: number
  text: number
  kind: 'note' | 'decision'
  entities: number[]
  about: boolean
  related: boolean
  session: number | null
  /** Minutes until it expires. */
  ends: number | null
  /** Whether a model looks for entities in the text. */
  finds: boolean
  /** Whether the caller brings the vector. */
  vector: boolean
}

export type Changing = Partial<Pick<Given, 'key' | 'text' | 'kind' | 'entities' | 'about' | 'related' | 'session' | 'ends' | 'finds'>>

export const STORES = ['truth', 'graph', 'cache', 'models'] as const

/** What befalls the `at`th call of a store that a command makes (`every`: each of them). */
export interface Fault {
  store: (typeof STORES)[number]
  at: number | 'every'
  what: Trouble
}

export type Trouble =
  /** Nothing was done, and it says so. */
  | 'refuses'
  /** Done, and the answer lost. */
  | 'loses'
  /** Done twice. */
  | 'doubles'
  /** Done after so many further commands (late graph writes: when they `arrive`), the caller told that nobody knows. */
  | 'late'
  /** The graph will never take one of these. */
  | 'poison'
  /** It takes a while, before or after the work. */
  | { slow: number; side: 'before' | 'after' }
  /** The process stands still for so many commands, for good when null. */
  | { freezes: number | null; side: 'before' | 'after' }

const among = (n: number) => fc.nat({ max: n - 1 })
/** Null one time in `nil`. */
const maybe = <T>(one: fc.Arbitrary<T>, nil = 3) => fc.option(one, { freq: nil })
const seconds = 1000
const minutes = 60 * seconds
const hours = 60 * minutes

const given: fc.Arbitrary<Given> = fc.record({
  id: maybe(among(4)),
  key: maybe(among(2), 2),
  place: among(3),
  text: among(6),
  kind: fc.constantFrom('note', 'decision'),
  entities: fc.uniqueArray(among(5), { maxLength: 3 }),
  about: fc.boolean(),
  related: fc.boolean(),
  session: maybe(among(2), 2),
  ends: maybe(fc.constantFrom(7, 187, 2227), 2),
  finds: fc.boolean(),
  vector: fc.boolean(),
})

const changing: fc.Arbitrary<Changing> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ text: among(6), finds: fc.boolean() }, { requiredKeys: ['text'] }) },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        entities: fc.uniqueArray(among(5), { maxLength: 3 }),
        about: fc.boolean(),
        related: fc.boolean(),
        text: among(6),
        finds: fc.boolean(),
      },
      { requiredKeys: ['entities', 'about', 'related'] },
    ),
  },
  { weight: 1, arbitrary: fc.record({ key: maybe(among(2)) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('note' as const, 'decision' as const) }) },
  { weight: 1, arbitrary: fc.record({ session: maybe(among(2)) }) },
  { weight: 1, arbitrary: fc.record({ ends: maybe(fc.constantFrom(7, 187, 2227)) }) },
)

const once = maybe(among(5), 2)
const which = fc.nat({ max: 15 })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('remember' as const),
      given,
      mode: fc.constantFrom<Mode>('queue', 'queue', 'wait', 'rollback'),
      once,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      items: fc.array(
        given.map((one) => ({ ...one, ends: null })),
        { minLength: 1, maxLength: 4 },
      ),
      atomic: fc.boolean(),
      once,
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      which,
      changes: changing,
      match: maybe(fc.constantFrom('right' as const, 'wrong' as const), 2),
      wait: fc.boolean(),
      once,
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('forget' as const), which, hard: fc.boolean(), cascade: fc.boolean(), once }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('restore' as const), which, version: maybe(fc.integer({ min: 1, max: 4 }), 2), once }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('again' as const), back: fc.nat({ max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('entity' as const), subject: among(2), name: among(5), once }) },
  {
    weight: 3,
    arbitrary: fc
      .record({
        do: fc.constant('link' as const),
        subject: among(2),
        from: among(5),
        to: among(4),
        confidence: fc.constantFrom(0.25, 0.75),
        wait: fc.boolean(),
        once,
      })
      .map((link) => ({ ...link, to: (link.from + 1 + link.to) % 5 })),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('start' as const, 'start' as const, 'end' as const), session: among(2), once }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), which, count: fc.integer({ min: 1, max: 3 }), keep: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('arrive' as const), which }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom<Sweep>(...SWEEPS, 'relay', 'relay', 'runs') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('sync' as const),
      operation: fc.constantFrom('check' as const, 'repair' as const, 'full' as const, 'rebuild' as const, 'rebuild' as const),
      deep: fc.boolean(),
      all: fc.boolean(),
      clear: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(3 * seconds, 31 * seconds, 5 * minutes, 3 * hours, 11 * hours, 25 * hours),
    }),
  },
)

const side = fc.constantFrom('before' as const, 'after' as const)

const at = fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 3 }) }, { weight: 1, arbitrary: fc.constant('every' as const) })
const answers = (...troubles: Trouble[]) => ({ weight: 3, arbitrary: fc.constantFrom(...troubles) })
const slow = { weight: 1, arbitrary: fc.record({ slow: fc.constantFrom(20 * seconds, 40 * seconds, 10 * minutes), side }) }
const freezes = { weight: 2, arbitrary: fc.record({ freezes: maybe(fc.integer({ min: 1, max: 8 })), side }) }
const befalls = (store: Fault['store'], what: fc.Arbitrary<Trouble>) => fc.record({ store: fc.constant(store), at, what })

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 3, arbitrary: befalls('truth', fc.oneof(answers('refuses', 'loses', 'doubles'), slow, freezes)) },
  { weight: 3, arbitrary: befalls('graph', fc.oneof(answers('refuses', 'loses', 'doubles', 'late', 'poison'), slow, freezes)) },
  { weight: 1, arbitrary: befalls('cache', fc.constant('refuses' as const)) },
  { weight: 1, arbitrary: befalls('models', fc.constant('refuses' as const)) },
)

const command: fc.Arbitrary<Command> = fc
  .tuple(
    step,
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 2, arbitrary: fc.array(fault, { minLength: 1, maxLength: 2 }) }),
  )
  .map(([what, faults]) => ({ ...what, faults }) as Command)

/** Lists of just so many commands, which shrink to fewer wherever these are, then to simpler ones. */
export class Commands extends fc.Arbitrary<Command[]> {
  readonly #length: number

  constructor(length: number) {
    super()
    this.#length = length
  }

  generate(random: fc.Random, bias: number | undefined): fc.Value<Command[]> {
    return listOf(Array.from({ length: this.#length }, () => command.generate(random, bias)))
  }

  canShrinkWithoutContext(_: unknown): _ is Command[] {
    return false
  }

  shrink(_: Command[], items: unknown): fc.Stream<fc.Value<Command[]>> {
    return fc.stream(smaller(items as fc.Value<Command>[]))
  }
}

const listOf = (items: fc.Value<Command>[]) =>
  new fc.Value(
    items.map(({ value }) => value),
    items,
  )

function* smaller(items: fc.Value<Command>[]): IterableIterator<fc.Value<Command[]>> {
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let from = 0; from < items.length; from += size) yield listOf(items.toSpliced(from, size))
  for (const [i, { value, context }] of items.entries())
    for (const simpler of command.shrink(value, context)) yield listOf(items.with(i, simpler))
}
