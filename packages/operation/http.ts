import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'
import { Hono } from 'hono'
import { handle, type LambdaContext, type LambdaEvent } from 'hono/aws-lambda'
import { fieldsOf, parameters } from './fields.ts'
import { fit } from './fit.ts'
import type { AnyOperation, Method } from './operation.ts'
import { type Around, perform, refuse, type Surroundings } from './perform.ts'
import { readInput } from './read-input.ts'
import { Refusal } from './refusal.ts'

export type { Log, Observation, Surroundings } from './perform.ts'

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

/** What answers a POST in a protocol of its own. */
export type Endpoint = (request: Request) => Promise<Response>

/**
 * A Hono app that answers these operations and, by their path, these endpoints, and everything else with `not_found` or
 * `method_not_allowed`. Throws when a declaration does not hold together.
 */
export function serve<D>(
  operations: readonly AnyOperation<D>[],
  around: Surroundings<D>,
  endpoints: Readonly<Record<`/${string}`, Endpoint>> = {},
): Hono {
  mustBeUnique(operations)
  const app = unrouted()
  for (const [path, here] of byPath(operations)) {
    for (const operation of here) {
      const fields = fieldsOf(operation)
      app.on(operation.method.toUpperCase(), routeOf(path), ({ req: { raw } }) => {
        const { method, headers, signal } = raw
        return perform(operation, { method, headers, signal, given: () => readInput(operation, fields, raw) }, around)
      })
    }
    app.all(routeOf(path), (c) => refuse(c.req.raw, around, wrongMethod(methodsOf(here))))
  }
  for (const [path, answer] of Object.entries(endpoints)) {
    app.post(path, (c) => answer(c.req.raw))
    app.all(path, (c) => refuse(c.req.raw, around, wrongMethod(['POST'])))
  }
  return closed(app, around)
}

/** Undecoded: a parameter is decoded once, by `readInput`, which can refuse it. */
const unrouted = () => new Hono({ getPath: (request) => new URL(request.url).pathname })

function closed(app: Hono, around: Around): Hono {
  app.notFound((c) => refuse(c.req.raw, around, new Refusal('not_found', 'There is no such route.')))
  return app
}

type Route = Pick<AnyOperation<never>, 'method' | 'path'>

const routeOf = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1')
/** In the order in which people think of them, however the operations are declared. */
const METHODS: readonly Method[] = ['get', 'post', 'put', 'patch', 'delete']
const methodsOf = (here: readonly Route[]): string[] =>
  METHODS.filter((each) => here.some(({ method }) => method === each)).flatMap((each) =>
    each === 'get' ? ['GET', 'HEAD'] : [each.toUpperCase()],
  )
const wrongMethod = (allow: string[]) => new Refusal('method_not_allowed', `This route takes ${allow.join(', ')}.`, { allow })

/** The Lambda handler of one operation, for events of an API Gateway HTTP API (payload 2.0) or a function URL. Refuses `too_large` where the answer is. */
export function lambdaHandler<D>(operation: AnyOperation<D>, around: Surroundings<D>) {
  const answer = handle(serve([operation], { ...around, fit }))
  return (event: APIGatewayProxyEventV2, context?: Context) => answer(mended(event, operation), context as LambdaContext | undefined)
}

/** The same of an endpoint, at whatever path the event came. */
export function lambdaEndpoint<D>(path: `/${string}`, endpoint: Endpoint, around: Surroundings<D>) {
  const answer = handle(serve([], around, { [path]: (request) => fitting(request, endpoint, around) }))
  return (event: APIGatewayProxyEventV2, context?: Context) => {
    const body = event.requestContext.http.method === 'GET' ? null : event.body
    return answer({ ...event, rawPath: path, body } as unknown as LambdaEvent, context as LambdaContext | undefined)
  }
}

async function fitting(request: Request, endpoint: Endpoint, around: Around): Promise<Response> {
  const answered = await endpoint(request)
  try {
    const { status, headers } = answered
    const reply = await fit({ status, headers: Object.fromEntries(headers), body: await answered.text() }, request.headers)
    return new Response(reply.body || null, reply)
  } catch (error) {
    return refuse(request, around, error as Refusal)
  }
}

/** The Lambda handler of what no other function is asked: it names the methods of a path that takes others, and refuses every other path. */
export function lambdaElse(routes: readonly Route[], around: Around) {
  const app = unrouted()
  for (const [path, here] of byPath(routes)) app.all(routeOf(path), (c) => refuse(c.req.raw, around, wrongMethod(methodsOf(here))))
  const answer = handle(closed(app, around))
  return (event: APIGatewayProxyEventV2, context?: Context) =>
    answer({ ...event, body: null } as unknown as LambdaEvent, context as LambdaContext | undefined)
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
function byPath<R extends Route>(routes: readonly R[]): [string, R[]][] {
  const rank = (path: string) => path.replaceAll('{', '\u{10ffff}')
  return Object.entries(Object.groupBy(routes, ({ path }) => path) as Record<string, R[]>).sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1))
}
