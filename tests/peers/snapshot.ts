export type Owner = (query: string, params?: readonly (string | number)[]) => Promise<Record<string, string | null>[]>

/** Every table in which anything of ours is kept. */
export async function tables(owner: Owner): Promise<string[]> {
  const rows = await owner(`select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema in ('twofold', 'graph', 'queue', 'schedules') and table_type = 'BASE TABLE' order by 1`)
  return rows.map((row) => row.name as string)
}

/** How many rows each table has. */
export async function counts(owner: Owner): Promise<Record<string, number>> {
  const each = (await tables(owner)).map((name) => `select '${name}' as name, count(*)::text as n from ${name}`)
  return Object.fromEntries((await owner(each.join(' union all '))).map(({ name, n }) => [name, Number(n)]))
}
