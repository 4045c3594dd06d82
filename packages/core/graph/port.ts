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
  /**
   * The start nodes that the graph shows (0 hops) and what was reached, ordered by hops and id. `from` is the start a
   * node is nearest to, of several the one with the least id; a start's is its own.
   */
  readonly nodes: readonly { id: string; kind: NodeKind; hops: number; from: string }[]
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

/** What one bucket shows, added up: equal to what the ledger notes of it when both agree. */
export interface BucketSum {
  /** 0 to 1,023; -1 for what is in none of them. */
  bucket: number
  nodes: number
  /** The sums of the two halves of the digests, of the revisions, and of the edges by the bucket of who asserted them. */
  high: number
  low: number
  revisions: number
  edges: number
  /** Things that no projection leaves behind: `strays` tells which. */
  odd: number
}

/** How a node stands, shown or not. What somebody made by hand can lack anything. */
export interface Head {
  id: string | null
  /** By which `prune` finds it again. */
  handle: string
  subject: string | null
  bucket: number | null
  revision: number | null
  digest: readonly [number, number] | null
  /** Edges it asserts. */
  degree: number
  /** False for a tombstone and for the place of what is not there yet. */
  shown: boolean
  /** Whether it is what no projection leaves behind. */
  odd: boolean
}

/** An edge that nothing asserts which the graph shows. */
export interface StrayEdge {
  handle: string
  type: string
  from: string | null
  to: string | null
  relation: string
  namespace: string | null
  owner: string | null
}

export type Which = { readonly buckets: readonly number[] } | { readonly ids: readonly string[] }

/**
 * What to take away. A `node` with the edges it asserts, while it still has this revision and digest; another's edges
 * keep its place. The edges that the id `owner` asserts, while the graph does not show it. One `edge`, while nothing
 * that is shown asserts it.
 */
export type Pruned = { readonly node: Head } | { readonly owner: string } | { readonly edge: StrayEdge }

export interface GraphOptions {
  /** The graph generations to write to, or the one to read from (the first). */
  readonly generations: readonly number[]
  readonly signal?: AbortSignal
  /**
   * The transaction of this call may not outlive this: it is shorter than what is left of the lease. In an atomic
   * session that is the one of all its calls, which must have ended before any of these times is over.
   */
  readonly timeoutMs?: number
  /** The session to be part of; without it the call has one of its own. */
  readonly session?: GraphSession
}

/**
 * What several calls share, one after the other. Nothing is opened in the store before the first of them.
 * `reuse`: each call is a transaction of its own and sees what those before it wrote.
 * `atomic`: one transaction of one tenant, which sees what it wrote and is seen by nobody else before all of it is;
 * whatever is thrown takes all of it back, and a call that the store failed cannot be made good by catching its error.
 * A call while another is under way, or after the end, is a mistake of the program and throws a plain `Error`.
 */
export interface GraphSession {
  readonly mode: 'reuse' | 'atomic'
  /**
   * Calls `then` once it is certain whether what was written so far stands: now in `reuse`, after commit or rollback in
   * `atomic` (and before `session` answers, which throws what `then` throws). False also where nobody can tell.
   */
  whenDecided(then: (stands: boolean) => Promise<void>): Promise<void>
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
  /**
   * Everything the graph shows in these buckets, as it holds it, ordered by id, each node with all the edges it asserted,
   * whether their ends are there or not; no tombstones. The digest is the one that was written, not one made anew.
   */
  held(tenant: string, which: readonly number[] | { readonly ids: readonly string[] }, options: GraphOptions): Promise<Shown[]>
  /**
   * One aggregate over the tenant, or over the subjects in these ranges: a row for each bucket that has anything.
   * Ends of edges that are not there yet count as they do in the ledger.
   */
  sums(tenant: string, subjects: readonly Range[] | null, options: GraphOptions): Promise<BucketSum[]>
  /** The nodes of these buckets or ids, tombstones and places among them, ordered by id. */
  heads(tenant: string, which: Which, options: GraphOptions): Promise<Head[]>
  /**
   * What no projection leaves behind, at most `most` of each: nodes that are in no bucket, half gone or half made, and
   * edges that are no tenant's or nothing's that is shown. It reads every edge of the tenant.
   */
  strays(tenant: string, most: number, options: GraphOptions): Promise<{ nodes: Head[]; edges: StrayEdge[] }>
  /** Who else asserts edges at these nodes, each once; as they say themselves. */
  claimants(tenant: string, ids: readonly string[], options: GraphOptions): Promise<string[]>
  /** Takes away exactly what was reported, in the first generation, where it is still so. Returns how many nodes and edges went. */
  prune(tenant: string, what: readonly Pruned[], options: GraphOptions): Promise<number>
  /** Removes tombstones written before `before`, in all of the generations. Returns how many. */
  purge(tenant: string, before: Date, options: GraphOptions): Promise<number>
  /**
   * Takes away some of one generation, and nothing of another: at most `most` nodes with the edges that go with them, or
   * at most `most` edges. Returns how many of these went; 0 only when nothing of it is left.
   */
  drop(tenant: string, generation: number, most: number, options: Omit<GraphOptions, 'generations'>): Promise<number>
  /**
   * Runs `work` with a session and closes that whatever happens; `timeoutMs` is for all of it together.
   * `atomic` commits when `work` has answered. Throws what `work` throws, or `GraphStoreError` when the store did not
   * take it: `unsure` when only its answer is missing.
   */
  session<T>(
    mode: GraphSession['mode'],
    work: (session: GraphSession) => Promise<T>,
    options?: Pick<GraphOptions, 'signal' | 'timeoutMs'>,
  ): Promise<T>
  health(): Promise<StoreHealth>
  close(): Promise<void>
}
