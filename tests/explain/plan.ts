import type { Database } from '@twofold/core/ports.ts'
import { raw, type Statement, sql } from '@twofold/core/sql.ts'

interface Node {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  Plans?: Node[]
}

type Explained = { 'QUERY PLAN': [{ Plan: Node }] }

/**
 * Ways in which rows of a table are reached: `memories_pkey (tenant_id, id)` with the columns that the index itself decides, or
 * `all of memories`; beside it `only memories_pkey` where the index answers without a look at the rows.
 */
export type Ways = Set<string>

/** Those that lead through all that a tenant has. */
export const wide = (ways: Ways): string[] => [...ways].filter((way) => /^all of |\((tenant_id)?\)$/.test(way)).sort()

export interface Watched {
  db: Database
  /** How the statements that ran while `work` did reach their rows, as planned in the very transaction that ran them. */
  during(work: () => Promise<unknown>): Promise<Ways>
}

/** A database that has every statement explained, under the role, tenant and grants that it then runs with. */
export function watched(db: Database): Watched {
  let ways: Ways = new Set()
  const explained = (statements: readonly Statement<any>[]) =>
    statements.flatMap((s) => [sql<Explained>`${raw('explain (format json) ')}${s}`, s])
  const kept = (rows: readonly unknown[][]): any => {
    for (let i = 0; i < rows.length; i += 2)
      for (const way of waysOf((rows[i] as Explained[])[0]?.['QUERY PLAN'][0].Plan as Node)) ways.add(way)
    return rows.filter((_, i) => i % 2 === 1)
  }
  return {
    db: {
      async asCaller(caller, ranges, statements, options) {
        const { authorized, rows } = await db.asCaller(caller, ranges, explained(statements), options)
        return { authorized, rows: kept(rows) }
      },
      asTenant: async (tenant, statements) => kept(await db.asTenant(tenant, explained(statements))),
      across: (statements) => db.across(statements),
      health: () => db.health(),
    },
    async during(work) {
      ways = new Set()
      await work()
      return ways
    },
  }
}

function waysOf(node: Node): string[] {
  const index = node['Index Name']
  const own = index
    ? [
        `${index} (${columnsOf(node['Index Cond'] ?? '').join(', ')})`,
        ...(node['Node Type'] === 'Index Only Scan' ? [`only ${index}`] : []),
      ]
    : node['Node Type'] === 'Seq Scan'
      ? [`all of ${node['Relation Name']}`]
      : []
  return [...own, ...(node.Plans ?? []).flatMap(waysOf)]
}

/** The columns that an index condition compares, each once: they stand at the left of an operator. */
const columnsOf = (condition: string): string[] => [
  ...new Set([...condition.matchAll(/\(+(?:ROW\()?"?(\w+)"? (?:=|<|>|<=|>=) /g)].map((match) => match[1] as string)),
]

interface Count {
  way: string
  scans: number
}

const counts = (tables: readonly string[]): Statement<Count> => sql<Count>`
  select w.way, pg_stat_get_xact_numscans(w.oid)::int as scans
  from unnest(${tables}::regclass[]) t (oid)
  cross join lateral (
    select t.oid, 'all of ' || c.relname from pg_class c where c.oid = t.oid
    union all select c.oid, c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = t.oid) w (oid, way)`

/** How a function of the database reached these tables, which no plan shows from outside: counted by Postgres in the transaction that runs it. */
export async function waysWithin(
  run: (statements: readonly Statement<any>[]) => Promise<readonly unknown[][]>,
  call: Statement,
  ...tables: string[]
): Promise<string[]> {
  const [before, , after] = (await run([counts(tables), call, counts(tables)])) as [Count[], unknown, Count[]]
  return after
    .filter(({ way, scans }) => scans > (before.find((b) => b.way === way)?.scans ?? 0))
    .map(({ way }) => way)
    .sort()
}
