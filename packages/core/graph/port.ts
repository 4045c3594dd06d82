import type { Range, StoreHealth } from '../ports.ts'

/**
 * The graph, as `core` sees it. An adapter (Postgres tables, Neo4j) holds nothing that cannot be rebuilt from Postgres
 * and decides nothing but the fence: an older revision never overwrites a newer one.
 */
export type NodeKind = 'memory' | 'entity' | 'session'

/** What the graph must show of one thing at one revision. */
export type Projection = Shown | Gone

export interface Shown {
  readonly gone: false
  readonly kind: NodeKind
  readonly id: string
  readonly revision: number
  readonly subject: string
  readonly bucket: number
  /** 64 bits as two signed 32-bit integers. */
  readonly digest: readonly [number, number]
  /** Further labels: `Decision`, `Commitment`, `Pattern`. */
  readonly labels: readonly string[]
  /** Scalars; what is not known is left out. A memory: namespace, type, kind, version, contentHash; an entity: type, value, normalized. */
  readonly properties: Readonly<Record<string, string | number | boolean>>
  /** Every edge this thing asserts; a new revision replaces all of them. */
  readonly edges: readonly Edge[]
}

/** A tombstone: the node's content and the edges it asserted go, id and revision stay until the tombstone is purged. */
export interface Gone {
  readonly gone: true
  readonly kind: NodeKind
  readonly id: string
  readonly revision: number
  readonly subject: string
  readonly bucket: number
}

export type EdgeType = 'MENTIONS' | 'ABOUT' | 'RELATES_TO' | 'SUPERSEDES' | 'PRODUCED'

export interface Edge {
  readonly type: EdgeType
  readonly from: string
  readonly to: string
  /** For RELATES_TO: the caller's own type (`works_at`); else ''. */
  readonly relation: string
  /** The namespace that asserted it. */
  readonly namespace: string
  readonly confidence: number
}

export interface Traversal {
  /** Ids of the nodes to start from. From each, nothing outside its own subject is ever reached. */
  readonly start: readonly string[]
  /** Only edges that a namespace in one of these asserted lead anywhere: what the caller may see. */
  readonly ranges: readonly Range[]
  /** Edge types, or relation types of RELATES_TO edges; empty: all. */
  readonly via: readonly string[]
  readonly direction: 'out' | 'in' | 'both'
  /** 1 to 4. */
  readonly hops: number
  /** At most this many nodes beside the start, nearest first. */
  readonly limit: number
}

/** Ids only: what is shown of them comes from rows the caller may see. */
export interface Found {
  /** The start nodes that the graph shows (0 hops) and what was reached, ordered by hops and id. */
  readonly nodes: readonly { id: string; kind: NodeKind; hops: number }[]
  /** What joins these nodes, by whatever assertions, ordered by type, from, to and relation. */
  readonly edges: readonly Pick<Edge, 'type' | 'from' | 'to' | 'relation'>[]
  /** True when `limit` left out a node within `hops`. */
  readonly cut: boolean
}

export interface GraphCounts {
  memories: number
  entities: number
  sessions: number
  edges: number
}

export interface GraphOptions {
  /** The graph generations to write to, or the one to read from (the first). */
  readonly generations: readonly number[]
  readonly signal?: AbortSignal
  /** A transaction of the graph may not outlive this: it is shorter than what is left of the lease. */
  readonly timeoutMs?: number
}

export interface GraphPort {
  /** `postgres` or `neo4j`. */
  readonly adapter: string
  /**
   * Applies a batch, which names each id once, in one transaction, all or nothing, each projection fenced by its
   * revision: a node that already shows a newer revision (or is a tombstone of this one or a newer one) is left as it
   * is with its edges, an equal one is written again without effect.
   * An edge whose other end is not there yet is kept and visible once it is.
   * Throws `GraphStoreError`; `retryable: false` when the batch itself is refused (a poison row).
   */
  apply(tenant: string, batch: readonly Projection[], options: GraphOptions): Promise<void>
  traverse(tenant: string, traversal: Traversal, options: GraphOptions): Promise<Found>
  counts(tenant: string, options: GraphOptions): Promise<GraphCounts>
  /** Removes tombstones written before `before`, in all of the generations. Returns how many. */
  purge(tenant: string, before: Date, options: GraphOptions): Promise<number>
  health(): Promise<StoreHealth>
  close(): Promise<void>
}
