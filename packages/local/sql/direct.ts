import type { SqlBackend } from './backend.ts'

/** Runs one statement by itself, as the owner; each row as text by column name. Rejects with Postgres's own error. */
export type Sql = (query: string, params?: readonly (string | number)[]) => Promise<Record<string, string | null>[]>

/** The statements of queues and schedules, without the way over HTTP: a nudge is part of the time of every write. */
export function direct(backend: SqlBackend): Sql {
  return async (query, params = []) => {
    const { fields, rows } = await backend.single({ query, params: params.map(String) })
    return rows.map((row) => Object.fromEntries(fields.map(({ name }, i) => [name, row[i] ?? null])))
  }
}
