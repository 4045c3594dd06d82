import { neon, neonConfig } from '@neondatabase/serverless'
import type { Statement } from '@twofold/core/sql.ts'
import { toParam, types } from './types.ts'

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

export type Send = (statements: readonly Statement<any>[], signal: AbortSignal) => Promise<Record<string, unknown>[][]>

/** Statements as one transaction in one round trip; rows of each, parsed. Throws the driver's error as it is. */
export function sender(endpoint: Endpoint): Send {
  assertUrl(endpoint.url)
  const http = neon(endpoint.url, { disableWarningInBrowsers: true })
  return async (statements, signal) => {
    const queries = statements.map(({ text, params }) => http.query(text, params.map(toParam), { types }))
    const fetchOptions: RoutedInit = { signal, [ROUTE]: endpoint }
    return (await http.transaction(queries, { fetchOptions })) as Record<string, unknown>[][]
  }
}

/** The driver's own message for a bad URL quotes it, password and all. */
function assertUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (!parsed || !/^postgres(ql)?:$/.test(parsed.protocol) || !parsed.username || !parsed.hostname || parsed.pathname.length < 2) {
    throw new Error('the database URL must be postgresql://user:password@host/database')
  }
}

const ROUTE = Symbol('twofold.route')
type RoutedInit = RequestInit & { [ROUTE]?: Endpoint }

/**
 * The driver knows one endpoint and one fetch for the whole process, but hands each transaction's own options to it.
 * So the route travels there, and any number of databases live side by side; calls without one go where they always did.
 */
const elsewhere: typeof fetch | undefined = neonConfig.fetchFunction
neonConfig.fetchFunction = (url: string, init: RoutedInit) => {
  const route = init[ROUTE]
  return route ? post(route.fetch ?? fetch, route.fetchEndpoint ?? url, init) : (elsewhere ?? fetch)(url, init)
}

/** Reads the whole answer here, so that a cut body or a proxy's page is told apart from what the database says. */
async function post(through: typeof fetch, url: string, init: RequestInit): Promise<Pick<Response, 'ok' | 'status' | 'json' | 'text'>> {
  let response: Response
  let text: string
  try {
    response = await through(url, init)
    text = await response.text()
  } catch (error) {
    throw new Unreachable('no answer', !certainlyUnsent(error), error)
  }
  if (!response.ok && response.status !== 400) throw new Unreachable(`HTTP status ${response.status}`, response.status !== 429)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new Unreachable('an answer that is not JSON', true)
  }
  return { ok: response.ok, status: response.status, json: async () => body, text: async () => text }
}

const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

function certainlyUnsent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return typeof cause === 'object' && cause !== null && 'code' in cause && UNSENT.has(String(cause.code))
}
