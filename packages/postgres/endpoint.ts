import type { Statement } from '@twofold/core/sql.ts'
import { parserOf, toParam } from './types.ts'

export interface Endpoint {
  /** `postgresql://user:password@host/database`. */
  url: string
  /** Where SQL over HTTP is served, when that is not Neon's own place for the host. */
  fetchEndpoint?: string | undefined
  fetch?: typeof fetch | undefined
}

/** No usable answer: refused, cut, timed out, or a proxy's own. `sent` is false only when nothing can have arrived. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
  readonly sent: boolean

  constructor(reason: string, sent: boolean, cause?: unknown) {
    super(reason, { cause })
    this.sent = sent
  }
}

/** What Postgres says of an error that it answers. */
type Said = Partial<Record<'code' | 'detail' | 'table' | 'column' | 'constraint' | 'routine', string | null>>

/** Postgres answered with an error, which may quote what it was sent. */
export class Answered extends Error {
  override readonly name = 'Answered'
  readonly said: Said

  constructor({ message, ...said }: Said & { message?: string }) {
    super(message)
    this.said = said
  }
}

export type Send = (statements: readonly Statement<any>[], signal: AbortSignal) => Promise<Record<string, unknown>[][]>

/**
 * Statements as one transaction in one round trip of Neon's SQL over HTTP; rows of each, parsed. What goes over the line is what
 * Neon’s own driver sends, which holds a whole client of Postgres beside that: a tenth of what a function’s start would compute.
 * Throws `Answered` and `Unreachable`.
 */
export function sender(endpoint: Endpoint): Send {
  const { connection, address } = read(endpoint)
  const headers = { 'Neon-Connection-String': connection, 'Neon-Raw-Text-Output': 'true', 'Neon-Array-Mode': 'true' }
  return async (statements, signal) => {
    const queries = statements.map(({ text, params }) => ({ query: text, params: params.map(toParam) }))
    const init = { method: 'POST', body: JSON.stringify({ queries }), headers, signal }
    return (await ask(endpoint.fetch ?? fetch, address, init)).map(rowsOf)
  }
}

/** As Neon's driver reads a connection string. Says nothing of a bad one, which may hold a password. */
function read({ url, fetchEndpoint }: Endpoint): { connection: string; address: string } {
  const [scheme = ''] = /^postgres(ql)?:/.exec(url) ?? []
  const parsed = scheme && URL.canParse(`http:${url.slice(scheme.length)}`) ? new URL(`http:${url.slice(scheme.length)}`) : null
  if (!parsed?.username || !parsed.hostname || parsed.pathname.length < 2) {
    throw new Error('the database URL must be postgresql://user:password@host/database')
  }
  if (!parsed.searchParams.has('application_name')) parsed.searchParams.append('application_name', 'twofold')
  const connection = `postgresql:${parsed.href.slice('http:'.length)}`
  return { connection, address: fetchEndpoint ?? `https://${parsed.hostname.replace(/^[^.]+\./, 'api.')}/sql` }
}

/** Of one statement: the columns, and the rows as lists of what Postgres writes. */
interface Result {
  fields: { name: string; dataTypeID: number }[]
  rows: (string | null)[][]
}

function rowsOf({ fields, rows }: Result): Record<string, unknown>[] {
  const columns = fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }))
  return rows.map((row) =>
    Object.fromEntries(columns.map(({ name, parse }, i) => [name, typeof row[i] === 'string' ? parse(row[i]) : null])),
  )
}

/** Tells a cut body or a proxy's page apart from what the database says. */
async function ask(through: typeof fetch, address: string, init: RequestInit): Promise<Result[]> {
  let response: Response
  let text: string
  try {
    response = await through(address, init)
    text = await response.text()
  } catch (error) {
    throw new Unreachable('no answer', !certainlyUnsent(error), error)
  }
  if (!response.ok && response.status !== 400) throw new Unreachable(`HTTP status ${response.status}`, response.status !== 429)
  const body = json(text)
  if (response.status === 400) throw new Answered(body)
  if (!Array.isArray(body.results)) throw new Unreachable('an answer without results', true)
  return body.results
}

function json(text: string): Said & { message?: string; results?: Result[] } {
  try {
    return JSON.parse(text)
  } catch {
    throw new Unreachable('an answer that is not JSON', true)
  }
}

const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

function certainlyUnsent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return typeof cause === 'object' && cause !== null && 'code' in cause && UNSENT.has(String(cause.code))
}
