import type { Projection } from '@twofold/core/graph/port.ts'
import neo4j, { type Integer } from 'neo4j-driver-lite'

/** One statement and what it is given. Nothing of a caller's is ever part of the text. */
export interface Cypher<Row = Record<string, unknown>> {
  readonly text: string
  readonly parameters: Record<string, unknown>
  /** Never set: it carries the type of the rows. */
  readonly row?: Row
}

export const EDGES = ['MENTIONS', 'ABOUT', 'RELATES_TO', 'SUPERSEDES', 'PRODUCED'] as const

/** A match of the edges that a node asserted, for each type, because each type has its own index. */
export const OWNED_BY = (owner: string, generation: string, each: (match: string) => string): string[] =>
  EDGES.map((type) => each(`match (a)-[r:${type} {tenant: $tenant, generation: ${generation}, owner: ${owner}}]->(b)`))

/** Which of the three a shown node `n` is. */
export const KIND = `case when n:Memory then 'memory' when n:Entity then 'entity' else 'session' end`

type Scalars = Extract<Projection, { gone: false }>['properties']

/** The driver sends every JavaScript number as a float; whole ones are kept as integers, and both are read back as they were. */
export const scalars = (properties: Scalars): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [name, Number.isSafeInteger(value) ? neo4j.int(value as number) : value]),
  )

/** Before a match of nodes that lie in buckets: their index is asked once for each run of them, a look at all is one. */
export const IN_BUCKETS = { unwind: 'unwind $spans as span\n', condition: 'n.bucket >= span[0] and n.bucket <= span[1]' }

/** The first and the last of each run of buckets, for `IN_BUCKETS`. */
export function spansOf(buckets: readonly number[]): [Integer, Integer][] {
  const spans: [number, number][] = []
  for (const bucket of [...new Set(buckets)].sort((a, b) => a - b)) {
    const last = spans.at(-1)
    if (last?.[1] === bucket - 1) last[1] = bucket
    else spans.push([bucket, bucket])
  }
  return spans.map(([first, last]) => [neo4j.int(first), neo4j.int(last)])
}
