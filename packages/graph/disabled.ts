import { GraphStoreError } from '@twofold/core/failures.ts'
import type { GraphPort } from '@twofold/core/graph/port.ts'
import { Session } from './session.ts'

/** In place of a graph in a store of vectors only. Whoever asks it all the same is told that it is not there. */
export function disabledGraph({ now }: { now: () => Date }): GraphPort {
  const absent = (step: string) => async (): Promise<never> => {
    throw new GraphStoreError(step, { retryable: true, cause: new Error('the graph is switched off') })
  }
  return {
    adapter: 'disabled',
    apply: absent('apply'),
    traverse: absent('traverse'),
    counts: absent('counts'),
    held: absent('held'),
    sums: absent('sums'),
    heads: absent('heads'),
    strays: absent('strays'),
    claimants: absent('claimants'),
    prune: absent('prune'),
    purge: absent('purge'),
    drop: absent('drop'),
    session: (mode, work, options) => new Session(mode, options).run(work),
    health: async () => ({ available: false, healthy: false, lastCheck: now().toISOString(), breaker: 'closed', disabled: true }),
    close: async () => undefined,
  }
}
