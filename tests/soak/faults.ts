import { GraphStoreError, ModelError, VectorStoreError } from '@twofold/core/failures.ts'
import type { GraphOptions, GraphPort } from '@twofold/core/graph/port.ts'
import type { Cache, Database, Embedder, Extractor } from '@twofold/core/ports.ts'
import type { Statement } from '@twofold/core/sql.ts'
import type { Flight } from './flight.ts'
import { DIMENSIONS, found, vectorOf } from './requests.ts'

/** Who watches what the stores really did, whether or not the service was told. */
export interface Watch {
  now(): number
  /** A list that writes for a caller was committed, asked for at this time; with the rows of its last statement. */
  wrote(rows: readonly unknown[], at: number): void
  /** Anything else was. */
  did(): Promise<void>
  /** A graph write that is still under way when its writer has given it up. */
  late(arrive: () => Promise<void>): void
}

/**
 * The database as its driver shows it to a flight: what was refused has not happened, of what was lost nobody knows, and
 * a list that may be sent twice is.
 */
export function troubledDatabase(db: Database, flight: Flight, watch: Watch): Database {
  const call = <T>(how: { unsure: boolean; twice: boolean }, run: (at: number) => Promise<T>) => flight.call(() => go(how, run))
  async function go<T>({ unsure, twice }: { unsure: boolean; twice: boolean }, run: (at: number) => Promise<T>): Promise<T> {
    const at = watch.now()
    const trouble = flight.next('truth')
    await flight.pause(trouble, 'before')
    if (trouble === 'refuses') throw new VectorStoreError('database', { retryable: true })
    const lost = trouble === 'loses' || (trouble === 'doubles' && !twice)
    const first = run(at)
    if (lost) {
      await first.catch(() => undefined)
      throw new VectorStoreError('database', { retryable: true, unsure })
    }
    const answer = trouble === 'doubles' ? await first.catch(() => undefined).then(() => run(at)) : await first
    await flight.pause(trouble, 'after')
    return answer
  }
  return {
    ...db,
    asCaller: (caller, ranges, statements, options = {}) =>
      call({ unsure: options.write ?? false, twice: !options.write || (options.repeatable ?? false) }, async (at) => {
        const answer = await db.asCaller(caller, ranges, statements, options)
        if (options.write) watch.wrote((answer.rows as unknown as unknown[][]).at(-1) ?? [], at)
        return answer
      }),
    asTenant: (tenant, statements: readonly Statement[]) =>
      call({ unsure: false, twice: true }, async () => {
        const rows = await db.asTenant(tenant, statements)
        await watch.did()
        return rows
      }) as never,
  }
}

/** Longer than any graph write may be under way: its tombstone is gone after a day. */
const LONGEST_MS = 20 * 3600 * 1000

/** The same of a graph. Its time is the run's, so no call is told how long it may take. */
export function troubledGraph(graph: GraphPort, flight: Flight, watch: Watch): GraphPort {
  type Given = Omit<GraphOptions, 'generations'>
  const call = <O extends Given, T>(step: string, write: boolean, options: O, run: (options: O) => Promise<T>) =>
    flight.call(() => go(step, write, options, run))
  async function go<O extends Given, T>(step: string, write: boolean, options: O, run: (options: O) => Promise<T>): Promise<T> {
    const failed = (how: { retryable: boolean; unsure?: boolean }) => new GraphStoreError(step, how)
    const given = { ...options, timeoutMs: undefined }
    const since = watch.now()
    const trouble = flight.next('graph')
    await flight.pause(trouble, 'before')
    if (watch.now() - since > LONGEST_MS || trouble === 'refuses' || (trouble === 'late' && !write)) throw failed({ retryable: true })
    if (trouble === 'poison' && write) throw failed({ retryable: false })
    if (trouble === 'late') {
      watch.late(async () => {
        if (watch.now() - since <= LONGEST_MS) await run({ ...given, session: undefined })
      })
      throw failed({ retryable: true, unsure: true })
    }
    const answer = await run(given)
    if (trouble === 'loses') throw failed({ retryable: true, unsure: write })
    const last = trouble === 'doubles' ? await run(given) : answer
    await flight.pause(trouble, 'after')
    return last
  }
  const read =
    <A, T>(step: string, run: (tenant: string, what: A, options: GraphOptions) => Promise<T>) =>
    (tenant: string, what: A, options: GraphOptions) =>
      call(step, false, options, (given) => run(tenant, what, given))
  const write =
    <A, T>(step: string, run: (tenant: string, what: A, options: GraphOptions) => Promise<T>) =>
    (tenant: string, what: A, options: GraphOptions) =>
      call(step, true, options, (given) => run(tenant, what, given))
  return {
    ...graph,
    apply: write('apply', graph.apply),
    prune: write('prune', graph.prune),
    purge: write('purge', graph.purge),
    drop: (tenant, generation, most, options) => call('drop', true, options, (given) => graph.drop(tenant, generation, most, given)),
    held: read('held', graph.held),
    sums: read('sums', graph.sums),
    heads: read('heads', graph.heads),
    strays: read('strays', graph.strays),
    claimants: read('claimants', graph.claimants),
  }
}

/** Redis: whatever fails is swallowed by the port, so a flight only finds nothing and is told that nothing was kept. */
export function troubledCache(vectors: Map<string, Float32Array>, flight: Flight): Cache {
  const up = () => flight.next('cache') === null
  return {
    embeddings: async (_, texts) => (up() ? texts.map((text) => vectors.get(text) ?? null) : texts.map(() => null)),
    async storeEmbeddings(_, entries) {
      if (up()) for (const { text, vector } of entries) vectors.set(text, vector)
    },
    async forgetEmbeddings(_, texts) {
      if (up()) for (const text of texts) vectors.delete(text)
    },
    generations: async () => null,
    invalidate: async () => (up() ? 'written' : 'failed'),
    health: async () => ({ available: true, healthy: true, lastCheck: '', breaker: 'closed' }),
  }
}

/** A model that either answers or does not. */
export function troubledModels(flight: Flight, told: { extracted: boolean }): { embedder: Embedder; extractor: Extractor } {
  const ask = (step: string) => {
    if (flight.next('models') !== null) throw new ModelError(step, { retryable: true })
  }
  return {
    embedder: {
      model: 'soak:tiny',
      dimensions: DIMENSIONS,
      async embed(texts) {
        ask('embed')
        return texts.map((text) => Float32Array.from(vectorOf(text)))
      },
    },
    extractor: {
      model: 'soak:at',
      async extract(texts) {
        told.extracted = false
        ask('extract')
        told.extracted = true
        return texts.map(({ text }) => {
          const { entities, relations } = found(text)
          return { entities: entities.map((e) => ({ ...e, confidence: 0.5, source: 'found' })), relations }
        })
      },
    },
  }
}
