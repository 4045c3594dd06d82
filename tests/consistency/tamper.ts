import type { Difference } from '@twofold/core/consistency/difference.ts'

/** Things that nobody else of the tenant damages. */
export interface Victim {
  memory: string
  entity: string
  /** Another entity of the same subject, which this memory does not mention. */
  other: string
  /** An id that nothing has. */
  fresh: string
}

/** One way to damage a graph by hand. */
export interface Tampering {
  name: string
  /** What its store is told. */
  does: string
  /** What is to be found: the kinds, with whose id. */
  finds: [kind: Difference['kind'], of: keyof Victim | 'nobody'][]
  /** Digest, degree and revision stay, so that only a deep check sees it. */
  deep?: true
  /** Whose rows are owed again by the repair; those of `finds` unless told otherwise. */
  owes?: (keyof Victim)[]
}

export interface Tamperer {
  tamperings: Tampering[]
  /** Runs it for the victim in the tenant's graph. */
  run(tenant: string, tampering: Tampering, victim: Victim): Promise<void>
  close(): Promise<void>
}
