import { GraphStoreError, VectorStoreError } from '@twofold/core/failures.ts'
import type { GraphPort, Projection } from '@twofold/core/graph/port.ts'
import type { Database, Deps } from '@twofold/core/ports.ts'
import type { Statement } from '@twofold/core/sql.ts'
import { Refusal } from '@twofold/operation/refusal.ts'

/** The calls of a store that a write in rollback mode makes, in their order. */
export const STEPS = ['write', 'lease', 'apply', 'settle', 'decide'] as const
export type Step = (typeof STEPS)[number]

/** What tells each statement list of the way from all others. */
const LISTS: [Exclude<Step, 'apply'>, RegExp][] = [
  ['write', /insert into memories /],
  ['lease', /update ledger l set lease = \$/],
  ['settle', /update ledger l set shown/],
  ['decide', /set pending_until = null|delete from memories/],
]

const stepOf = (statements: readonly Statement[]): Step | undefined => {
  const text = statements.map((statement) => statement.text).join('\n')
  return LISTS.find(([, pattern]) => pattern.test(text))?.[0]
}

/** What befalls one call: it may be made, made twice, made later or not at all. `batch` is what the graph was to apply. */
export type Fault = (run: () => Promise<unknown>, batch: readonly Projection[], timeoutMs: number) => Promise<unknown>

/** Stands between the verbs and the drivers: befalls the calls of each step with what a test says, and lets all others pass. */
export interface Stage {
  /** From now on every call of this step meets this fault, until `clear`. */
  on(step: Step, fault: Fault): void
  /** The same for the next call alone. */
  once(step: Step, fault: Fault): void
  /** Done before the next call of this step, and before what befalls it. */
  before(step: Step, work: () => Promise<void>): void
  clear(): void
}

export function stage(deps: Deps): Stage {
  const { db, graph } = deps
  const faults = new Map<Step, Fault>()
  const works = new Map<Step, () => Promise<void>>()
  const meet = async <T>(step: Step | undefined, run: () => Promise<T>, batch: readonly Projection[] = [], timeoutMs = 0): Promise<T> => {
    if (!step) return run()
    const work = works.get(step)
    works.delete(step)
    await work?.()
    const fault = faults.get(step)
    return fault ? (fault(run, batch, timeoutMs) as Promise<T>) : run()
  }
  const asCaller: Database['asCaller'] = (...args) => meet(stepOf(args[2]), () => db.asCaller(...args))
  const asTenant: Database['asTenant'] = (...args) => meet(stepOf(args[1]), () => db.asTenant(...args))
  const apply: GraphPort['apply'] = (...args) => meet('apply', () => graph.apply(...args), args[1], args[2].timeoutMs)
  deps.db = { ...db, asCaller, asTenant }
  deps.graph = { ...graph, apply }
  return {
    before: (step, work) => void works.set(step, work),
    on: (step, fault) => void faults.set(step, fault),
    once: (step, fault) =>
      void faults.set(step, (...args) => {
        faults.delete(step)
        return fault(...args)
      }),
    clear() {
      faults.clear()
      works.clear()
    },
  }
}

/** The database: not there; there, and its answer lost; lost and sent again, as the driver does; busy; slow. */
export const database = {
  away: async () => {
    throw new VectorStoreError('database', { retryable: true })
  },
  answerLost: async (run: () => Promise<unknown>) => {
    await run()
    throw new VectorStoreError('database', { retryable: true, unsure: true })
  },
  sentAgain: async (run: () => Promise<unknown>) => {
    await run()
    return run()
  },
  busy: async () => {
    throw new Refusal('in_progress', 'Another request is changing the same thing and has not finished.', { retryAfterMs: 1000 })
  },
  slow: async () => {
    throw new Refusal('timeout', 'The database took too long; nothing was changed by this request.')
  },
} satisfies Record<string, Fault>

const unreachable = () => new GraphStoreError('apply', { retryable: true })
const refused = () => new GraphStoreError('apply', { retryable: false })

/** The graph: not there; there, and its answer lost; not done in time; refusing all, or entities alone. */
export const graph = {
  away: async () => {
    throw unreachable()
  },
  answerLost: async (run: () => Promise<unknown>) => {
    await run()
    throw unreachable()
  },
  slow: async (_run, _batch, timeoutMs: number) => {
    await new Promise((resolve) => setTimeout(resolve, timeoutMs))
    throw unreachable()
  },
  refuses: async () => {
    throw refused()
  },
  refusesEntities: async (run: () => Promise<unknown>, batch: readonly Projection[]) => {
    if (batch.some(({ kind }) => kind === 'entity')) throw refused()
    return run()
  },
} satisfies Record<string, Fault>

/** A process that ends here: nothing that it would have done from then on is done. */
export function dies(on: Stage, at: Step, when: 'before' | 'after'): void {
  const dead = async (): Promise<never> => {
    throw new Error('dead')
  }
  on.on(at, async (run) => {
    for (const step of STEPS) on.on(step, dead)
    if (when === 'after') await run()
    return dead()
  })
}
