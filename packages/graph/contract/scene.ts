import { createHash } from 'node:crypto'
import { digest } from '@twofold/core/graph/digest.ts'
import type { Edge, Found, Gone, GraphCounts, GraphOptions, GraphPort, Projection, Shown, Traversal } from '@twofold/core/graph/port.ts'

export interface GraphUnderTest {
  graph: GraphPort
  /** A tenant with an empty graph of generation 1. */
  tenant(): Promise<string>
  /** What this store can never take. */
  poison(id: string): Projection
  /** Makes an edge by hand that nothing asserts. */
  stray(tenant: string, generation: number): Promise<void>
  close(): Promise<void>
}

export const everything = [{ low: '', high: '\u{10FFFF}' }]
export const first = { generations: [1] }

/** A UUID that is the same in every run, in the order of its number. */
export const uuid = (n: number, of = ''): string => {
  const hash = createHash('sha256').update(`${of}${n}`).digest('hex')
  return `0190${String(n).padStart(4, '0').slice(-4)}-${hash.slice(0, 4)}-7${hash.slice(4, 7)}-8${hash.slice(7, 10)}-${hash.slice(10, 22)}`
}

type Given = Partial<Omit<Shown, 'gone' | 'digest'>>

const shown = (given: Given & { id: string }): Shown => {
  const node = { kind: 'entity' as const, subject: 'user:ada', labels: [], properties: {}, edges: [], revision: 1, bucket: 3, ...given }
  return { gone: false, ...node, digest: digest(node) }
}

export const entity = (id: string, value: string, given: Given = {}): Shown =>
  shown({ id, properties: { type: 'person', value, normalized: value.toLowerCase() }, ...given })

export const memory = (
  id: string,
  mentions: readonly string[],
  given: Given & { namespace?: string; relations?: [string, string, string][] } = {},
): Shown => {
  const { namespace = 'user:ada', relations = [], ...rest } = given
  const edges: Edge[] = [
    ...mentions.map((to): Edge => ({ type: 'MENTIONS', from: id, to, relation: '', namespace, confidence: 1 })),
    ...relations.map(([from, relation, to]): Edge => ({ type: 'RELATES_TO', from, to, relation, namespace, confidence: 0.5 })),
  ]
  return shown({ id, kind: 'memory', properties: { namespace, kind: 'note', version: 1 }, edges, ...rest })
}

export const gone = (id: string, revision: number, kind: Gone['kind'] = 'entity', subject = 'user:ada'): Gone => ({
  gone: true,
  kind,
  id,
  revision,
  subject,
  bucket: 3,
})

/** An adapter in use by the tests of the contract, with the shortest words for what they ask of it. */
export class Scene {
  under!: GraphUnderTest
  get graph(): GraphPort {
    return this.under.graph
  }
  readonly tenant = (): Promise<string> => this.under.tenant()
  readonly apply = (tenant: string, ...batch: Projection[]): Promise<void> => this.graph.apply(tenant, batch, first)
  readonly counts = (tenant: string): Promise<GraphCounts> => this.graph.counts(tenant, first)
  readonly from = (
    tenant: string,
    start: readonly string[],
    given: Partial<Traversal> = {},
    options: GraphOptions = first,
  ): Promise<Found> =>
    this.graph.traverse(tenant, { start, ranges: everything, via: [], direction: 'both', hops: 1, limit: 100, ...given }, options)
}

export const ids = async (found: Promise<Found>): Promise<string[]> => (await found).nodes.map((node) => node.id)

export const [ada, acme, turin, note, other] = [uuid(1), uuid(2), uuid(3), uuid(10), uuid(11)] as [string, string, string, string, string]
