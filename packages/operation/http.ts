import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'
import { Hono } from 'hono'
import { handle, type LambdaContext, type LambdaEvent } from 'hono/aws-lambda'
import { type Caller, Timings } from './caller.ts'
import { CallerGone, withDeadline } from './deadline.ts'
import { type Field, fieldsOf, parameters } from './fields.ts'
import { canonical } from './json.ts'
import { Answer, type AnyOperation } from './operation.ts'
import { internal, problem, type Reply } from './problem.ts'
import { type Headed, readCaller, requestIdOf } from './read-caller.ts'
import { parseInput, readInput } from './read-input.ts'
import { type Code, Refusal } from './refusal.ts'

const REPLAYED = 'idempotency-replayed'

export interface Log {
  info(event: string, fields?: Record<string, unknown>): void
  warn(event: string, fields?: Record<string, unknown>): void
  error(event: string, fields?: Record<string, unknown>): void
}

/** One request and how it ended. */
export interface Observation {
  /** The operation's name; null when the request reached none (404, 405). */
  operation: string | null
  method: string
  /** 499 when the caller hung up first. */
  status: number
  /** Why it was refused; null for a success, `gone_away` when the caller hung up first. */
  code: Code | 'gone_away' | null
  ms: number
  parts: ReadonlyMap<string, number>
  requestId: string
  replayed: boolean
}

/** What operations are served with. */
export interface Surroundings<D> {
  /** Asked for at each request; wrap it in `once` so that there is one per process. */
  deps: () => D | Promise<D>
  /** What the world is told of a failure that is no `Refusal`; null: nothing but `internal`. */
  asRefusal: (error: unknown) => Refusal | null
  log: Log
  /** Called after each request. Must not throw. */
  observe?: (observation: Observation) => void
  /** SHA-256 of the key that `scope: 'operator'` asks for; without one, those operations are refused. */
  operatorKeyHash?: Buffer | null
}

/** One value per process: made at the first call, and again only after a failure. */
export function once<T>(make: () => T | Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null
  return () => {
    made ??= Promise.resolve()
      .then(make)
      .catch((error) => {
        made = null
        throw error
      })
    return made
  }
}

/** A Hono app that answers these operations, and everything else with `not_found` or `method_not_allowed`. Throws when a declaration does not hold together. */
export function serve<D>(operations: readonly AnyOperation<D>[], around: Surroundings<D>): Hono {
  mustBeUnique(operations)
  // Undecoded: a parameter is decoded once, by `readInput`, which can refuse it.
  const app = new Hono({ getPath: (request) => new URL(request.url).pathname })
  for (const [path, here] of byPath(operations)) {
    const route = path.replaceAll(/\{(\w+)\}/g, ':$1')
    for (const operation of here) {
      const fields = fieldsOf(operation)
      app.on(operation.method.toUpperCase(), route, (c) => respond(c.req.raw, operation, fields, around))
    }
    const allow = here.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
    app.all(route, (c) => refuse(c.req.raw, around, new Refusal('method_not_allowed', `This route takes ${allow.join(', ')}.`, { allow })))
  }
  app.notFound((c) => refuse(c.req.raw, around, new Refusal('not_found', 'There is no such route.')))
  return app
}

/** The Lambda handler of one operation, for events of an API Gateway HTTP API (payload 2.0) or a function URL. */
export function lambdaHandler<D>(operation: AnyOperation<D>, around: Surroundings<D>) {
  const answer = handle(serve([operation], around))
  return (event: APIGatewayProxyEventV2, context?: Context) => answer(mended(event, operation), context as LambdaContext | undefined)
}

/** An HTTP API decodes `rawPath`, so that a `%` or `?` in a parameter would be read twice; its `pathParameters` are whole. `Request` takes no body with GET. */
function mended(event: APIGatewayProxyEventV2, operation: AnyOperation<never>): LambdaEvent {
  const given = event.pathParameters ?? {}
  const names = parameters(operation.path)
  const whole = names.length > 0 && names.every((name) => given[name] !== undefined)
  const rawPath = whole
    ? operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(given[name]?.toWellFormed() ?? ''))
    : event.rawPath
  return { ...event, rawPath, body: operation.method === 'get' ? null : event.body } as unknown as LambdaEvent
}

function mustBeUnique(operations: readonly AnyOperation<never>[]): void {
  for (const label of [(o: AnyOperation<never>) => o.name, (o: AnyOperation<never>) => `${o.method} ${o.path}`]) {
    const names = operations.map(label)
    const twice = names.find((name, index) => names.indexOf(name) !== index)
    if (twice) throw new Error(`Two operations are called ${twice}`)
  }
}

/** Literal segments before parameters, so that `/memories/search` is never taken for an id: GET on it is 405. */
function byPath<D>(operations: readonly AnyOperation<D>[]): [string, AnyOperation<D>[]][] {
  const rank = (path: string) => path.replaceAll('{', '\u{10ffff}')
  return Object.entries(Object.groupBy(operations, (operation) => operation.path) as Record<string, AnyOperation<D>[]>).sort(([a], [b]) =>
    rank(a) < rank(b) ? -1 : 1,
  )
}

type Around = Omit<Surroundings<never>, 'deps'>

const refuse = (request: Request, around: Around, refusal: Refusal): Promise<Response> =>
  exchange(request, null, around, () => Promise.reject(refusal))

function respond<D>(
  request: Request,
  operation: AnyOperation<D>,
  fields: ReadonlyMap<string, Field>,
  around: Surroundings<D>,
): Promise<Response> {
  return exchange(request, operation, around, (requestId, timings) =>
    withDeadline(operation.deadlineMs, request.signal, async (signal) => {
      const headed = readCaller(operation, request.headers, around.operatorKeyHash ?? null)
      const given = await readInput(operation, fields, request)
      const input = parseInput(operation.input, given)
      const caller = callerOf(operation, headed, given, { requestId, timings, signal })
      return render(operation, await operation.handle(await around.deps(), input, caller))
    }),
  )
}

/** Everything around an answer: request id, timings, refusals, the log and the observer. */
async function exchange(
  request: Request,
  operation: AnyOperation<never> | null,
  around: Around,
  work: (requestId: string, timings: Timings) => Promise<Reply>,
): Promise<Response> {
  const started = performance.now()
  const requestId = requestIdOf(request.headers)
  const timings = new Timings()
  let code: Observation['code'] = null
  const { status, headers, body } = await work(requestId, timings).catch((error: unknown) => {
    if (error instanceof CallerGone) {
      code = 'gone_away'
      return { status: 499, headers: {}, body: null }
    }
    const refusal = error instanceof Refusal ? error : (around.asRefusal(error) ?? internal(error))
    code = refusal.code
    if (refusal.status >= 500) around.log.error('request failed', { requestId, operation: operation?.name, code, error })
    return problem(refusal, requestId)
  })
  const ms = performance.now() - started
  const parts = timings.parts
  around.observe?.({
    operation: operation?.name ?? null,
    method: request.method,
    status,
    code,
    ms,
    parts,
    requestId,
    replayed: REPLAYED in headers,
  })
  const timing = [...parts, ['total', ms] as const].map(([part, each]) => `${part};dur=${each.toFixed(1)}`).join(', ')
  return new Response(body, { status, headers: { ...headers, 'x-request-id': requestId, 'server-timing': timing } })
}

function callerOf(
  operation: AnyOperation<never>,
  headed: Headed,
  given: Record<string, unknown>,
  rest: Pick<Caller, 'requestId' | 'timings' | 'signal'>,
): Caller {
  let hash: Buffer | null = null
  return {
    ...headed,
    ...rest,
    operation: operation.name,
    // Over what was sent, not over what defaults made of it: a default may depend on the clock. Made when asked for: few requests need it.
    get requestHash() {
      hash ??= createHash('sha256')
        .update(`${operation.name}\n${canonical(given)}`)
        .digest()
      return hash
    },
  }
}

function render(operation: AnyOperation<never>, answered: unknown): Reply {
  const { output, options } = answered instanceof Answer ? (answered as Answer<unknown>) : new Answer(answered, {})
  const parsed = operation.output.parse(output)
  const version = operation.etag?.(parsed) ?? null
  const headers: Record<string, string> = { 'content-type': operation.mediaType, 'x-content-type-options': 'nosniff' }
  if (!operation.public) headers['cache-control'] = 'no-store'
  if (version !== null) headers.etag = `"${version}"`
  if (options.replayed) headers[REPLAYED] = 'true'
  const body = operation.mediaType === 'application/json' ? JSON.stringify(parsed) : parsed
  return { status: options.status ?? operation.status, headers: { ...headers, ...options.headers }, body }
}
