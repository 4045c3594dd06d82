type Owner = (query: string, params?: readonly (string | number)[]) => Promise<Record<string, string | null>[]>

/** Every table in which anything of ours is kept. */
export async function tables(owner: Owner): Promise<string[]> {
  const rows = await owner(`select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema in ('twofold', 'graph', 'queue', 'schedules') and table_type = 'BASE TABLE' order by 1`)
  return rows.map((row) => row.name as string)
}

/** How many rows each table has; a note that a key is in use is not part of any write. */
export async function counts(owner: Owner): Promise<Record<string, number>> {
  const counted: Record<string, number> = {}
  for (const name of await tables(owner)) counted[name] = Number((await owner(`select count(*) as n from ${name}`))[0]?.n)
  return counted
}
