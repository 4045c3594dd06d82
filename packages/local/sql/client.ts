export interface SqlPlace {
  /** `postgresql://user:password@host/database`. */
  url: string
  /** Where SQL over HTTP is served. */
  fetchEndpoint: string
}

/** Runs one statement by itself; each row as text by column name. Throws an error with Postgres's message and `code`. */
export type Sql = (query: string, params?: readonly (string | number | null)[]) => Promise<Record<string, string | null>[]>

/**
 * The few statements of the queue and the schedules, over the same wire as everything else. Not Neon's driver: that
 * knows one endpoint for the whole process, and this process is also the product's.
 */
export function sqlClient({ url, fetchEndpoint }: SqlPlace): Sql {
  const headers = { 'neon-connection-string': url, 'neon-raw-text-output': 'true', 'neon-array-mode': 'false' }
  return async (query, params = []) => {
    const body = JSON.stringify({ query, params })
    const response = await fetch(fetchEndpoint, { method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) })
    const answer = await response.text()
    if (response.ok) return (JSON.parse(answer) as { rows: Record<string, string | null>[] }).rows
    if (response.status !== 400) throw new Error(`the database answered ${response.status}: ${answer.slice(0, 200)}`)
    const { message, code } = JSON.parse(answer) as { message: string; code: string }
    throw Object.assign(new Error(message), { code })
  }
}
