import { indexedText } from '@twofold/core/text/indexed.ts'
import type { Tenant, World } from '@twofold/functions/fixture.ts'

/** Everything that both stores and the cache have of one tenant. */

type Row = Record<string, unknown>
export interface Traces {
  /** Rows by table, each as JSON without what says only when it was last looked at. */
  tables: Record<string, string[]>
  /** The ledger apart: what is gone stays there as a number, and for a day as a tombstone. */
  ledger: Row[]
  graph: string[]
}

const BUCKETS = Array.from({ length: 1024 }, (_, bucket) => bucket)
/** Not of what somebody wrote: the tenant's own rows, and the graph's tables, which are asked by its own way. */
const APART = new Set(['ledger', 'api_keys', 'tenants', 'sync_runs', 'drift', 'graph_generations'])

export async function traces(here: World, tenant: Tenant): Promise<Traces> {
  const names = await here.owner(`select c.table_name as name from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    where c.table_schema = 'twofold' and c.column_name = 'tenant_id' and t.table_type = 'BASE TABLE' order by 1`)
  const mine = `tenant_id = (select id from twofold.tenants where uuid = '${tenant.id}')`
  const read = async (table: string): Promise<string[]> =>
    (await here.owner(`select to_jsonb(x)::text as row from twofold.${table} x where ${mine} order by 1`)).map(({ row }) => row as string)
  const tables: Record<string, string[]> = {}
  for (const { name } of names) if (!APART.has(name as string)) tables[name as string] = await read(name as string)
  const ledger = (await read('ledger')).map((row) => JSON.parse(row) as Row)
  const [state] = await here.owner(`select graph_generation as n from twofold.tenants where uuid = '${tenant.id}'`)
  const held = await here.deps.graph.held(tenant.id, BUCKETS, { generations: [Number(state?.n)], timeoutMs: 60_000 })
  return { tables, ledger, graph: held.map((node) => JSON.stringify(node)).sort() }
}

/** What the collector and the graph's writers have yet to take away when a write has just been refused. */
const LATER = new Set(['entities', 'entity_terms', 'collectable'])

/** What is in `after` and was not in `before`, or the other way round; at once, or when everything is swept. */
export function difference(before: Traces, after: Traces, when: 'at once' | 'swept'): string[] {
  const found: string[] = []
  const compare = (name: string, was: readonly string[], is: readonly string[]) => {
    found.push(...is.filter((row) => !was.includes(row)).map((row) => `${name} + ${row}`))
    found.push(...was.filter((row) => !is.includes(row)).map((row) => `${name} - ${row}`))
  }
  for (const [table, rows] of Object.entries(after.tables))
    if (when === 'swept' || !LATER.has(table)) compare(table, before.tables[table] ?? [], rows)
  if (when === 'at once') return found
  compare('graph', before.graph, after.graph)
  const text = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row))
  const known = new Set(before.ledger.map(({ id }) => id))
  compare('ledger', text(before.ledger), text(after.ledger.filter(({ id }) => known.has(id))))
  const restless = after.ledger.filter(
    (row) => !known.has(row.id) && (row.revision !== row.shown || row.tombstone_at === null || row.lease),
  )
  found.push(...text(restless).map((row) => `ledger ? ${row}`))
  return found
}

/** Whether the vector of this text is still in the cache. */
export const isCached = async ({ deps }: World, content: string): Promise<boolean> =>
  (await deps.cache.embeddings(deps.embedder.model, [indexedText({ content })]))[0] !== null
