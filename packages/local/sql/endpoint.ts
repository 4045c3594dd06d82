import type { Endpoint, WireAnswer, WireRequest } from '../http/listen.ts'
import { sameSecret } from '../secret.ts'
import type { SqlBackend, TransactionMode } from './backend.ts'
import type { SqlResult, SqlStatement } from './batch.ts'

const ERROR_FIELDS = [
  'severity',
  'code',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const

const ISOLATION = {
  ReadUncommitted: 'READ UNCOMMITTED',
  ReadCommitted: 'READ COMMITTED',
  RepeatableRead: 'REPEATABLE READ',
  Serializable: 'SERIALIZABLE',
} as const

/**
 * Neon's SQL over HTTP: `{query, params}` or, as one transaction, `{queries: [...]}`. The connection string in the
 * header is the credential. Values are answered as text, which is all Neon's driver asks for; other forms are refused.
 */
export function sqlEndpoint(options: { backend: SqlBackend; connectionString: string }): Endpoint {
  const expected = credential(options.connectionString) as string
  return {
    maxBodyBytes: 64 * 1024 * 1024,
    tooLarge: () => failure({ message: 'the request is larger than 64 MiB', code: '54000' }),
    async handle(request) {
      const given = credential(request.header('neon-connection-string'))
      if (given === null || !sameSecret(given, expected)) {
        return failure({ message: 'password authentication failed: the connection string is not the one of this endpoint', code: '28P01' })
      }
      const asked = parse(request)
      if (typeof asked === 'string') return failure({ message: asked, code: '08P01' })
      try {
        const arrayMode = request.header('neon-array-mode') === 'true'
        if ('single' in asked) return ok(render(await options.backend.single(asked.single, request.signal), arrayMode))
        const results = await options.backend.transaction(asked.transaction, asked.mode, request.signal)
        return ok({ results: results.map((result) => render(result, arrayMode)) })
      } catch (error) {
        if (error instanceof Error && 'severity' in error) return failure(error as Error & Record<string, unknown>)
        return { status: 503, body: `the database cannot be reached: ${error instanceof Error ? error.message : String(error)}` }
      }
    },
  }
}

/** User, password, host and database; not the options, to which the driver adds its own name. */
function credential(connectionString: string): string | null {
  if (!URL.canParse(connectionString)) return null
  const { username, password, host, pathname } = new URL(connectionString)
  return JSON.stringify([username, password, host, pathname])
}

type Asked = { single: SqlStatement } | { transaction: SqlStatement[]; mode: TransactionMode }

/** What is asked, or what is wrong with it. */
function parse(request: WireRequest): Asked | string {
  if (request.method !== 'POST') return 'only POST is supported'
  if (request.header('neon-raw-text-output') !== 'true') return 'unsupported: Neon-Raw-Text-Output must be "true"'
  let body: unknown
  try {
    body = JSON.parse(request.body.toString('utf8'))
  } catch {
    return 'the body is not JSON'
  }
  if (typeof body !== 'object' || body === null) return 'the body must be {query, params} or {queries}'
  if (!('queries' in body)) {
    const single = statement(body)
    return typeof single === 'string' ? single : { single }
  }
  if (!Array.isArray(body.queries)) return 'queries must be an array'
  const list = body.queries.map(statement)
  const wrong = list.find((item) => typeof item === 'string')
  if (wrong !== undefined) return wrong
  const mode = transactionMode(request)
  return typeof mode === 'string' ? mode : { transaction: list as SqlStatement[], mode }
}

function statement(item: unknown): SqlStatement | string {
  const { query, params = [] } = (item ?? {}) as { query?: unknown; params?: unknown }
  if (typeof query !== 'string' || query.includes('\0')) return 'query must be a string without NUL'
  if (/^\s*copy\b/i.test(query)) return 'unsupported: COPY'
  if (!Array.isArray(params)) return 'params must be an array'
  return { query, params: params.map(text) }
}

function text(value: unknown): string | null {
  if (value === null || typeof value === 'string') return value
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function transactionMode(request: WireRequest): TransactionMode | string {
  const isolation = request.header('neon-batch-isolation-level')
  if (isolation && !Object.hasOwn(ISOLATION, isolation))
    return `Neon-Batch-Isolation-Level must be one of ${Object.keys(ISOLATION).join(', ')}`
  const flag = (name: string) => (request.header(name) ? request.header(name) === 'true' : undefined)
  return {
    isolation: isolation ? ISOLATION[isolation as keyof typeof ISOLATION] : undefined,
    readOnly: flag('neon-batch-read-only'),
    deferrable: flag('neon-batch-deferrable'),
  }
}

function render(result: SqlResult, arrayMode: boolean): object {
  const rows = arrayMode ? result.rows : result.rows.map((row) => Object.fromEntries(result.fields.map(({ name }, i) => [name, row[i]])))
  return { ...result, rows, rowAsArray: arrayMode }
}

const ok = (body: object): WireAnswer => ({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

function failure(error: { message: string } & Record<string, unknown>): WireAnswer {
  const body = { message: error.message, ...Object.fromEntries(ERROR_FIELDS.map((field) => [field, error[field] ?? null])) }
  return { status: 400, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}
