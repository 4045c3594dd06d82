import { createHash } from 'node:crypto'
import { type Caller, type Idempotency, Timings } from './caller.ts'
import { CallerGone, withDeadline } from './deadline.ts'
import { canonical } from './json.ts'
import { Answer, type AnyOperation } from './operation.ts'
import { internal, problem, type Reply } from './problem.ts'
import { type Headed, readCaller, requestIdOf } from './read-caller.ts'
import { parseInput } from './read-input.ts'
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
  /** What a reply becomes before it is handed over; a refusal takes its place. */
  fit?: (reply: Reply, asked: Headers) => Promise<Reply>
  /** SHA-256 of the key that `scope: 'operator'` asks for; without one, those operations are refused. */
  operatorKeyHash?: Buffer | null
}

export type Around = Omit<Surroundings<never>, 'deps'>

/** Who asks, as far as HTTP says it. */
export interface Asker {
  method: string
  headers: Headers
  signal: AbortSignal
}

/** One operation asked for, in whatever way its input came. */
export interface Asked extends Asker {
  /** The input as it was sent, before its schema has seen it. */
  given(): Promise<Record<string, unknown>>
  /** For what repeats itself without saying so; not beside a key of the caller's own. */
  implied?: (requestHash: Buffer) => Idempotency
}

/** Carries out one operation: its answer, or the problem document of what refused it. Never throws. */
export function perform<D>(operation: AnyOperation<D>, asked: Asked, around: Surroundings<D>): Promise<Response> {
  return exchange(asked, operation, around, (requestId, timings) =>
    withDeadline(operation.deadlineMs, asked.signal, async (signal) => {
      const headed = readCaller(operation, asked.headers, around.operatorKeyHash ?? null)
      const given = await asked.given()
      const input = parseInput(operation.input, given)
      const implied = operation.write && headed.idempotency === null ? asked.implied?.(requestHashOf(operation, given)) : undefined
      const caller = callerOf(operation, { ...headed, ...(implied && { idempotency: implied }) }, given, { requestId, timings, signal })
      const reply = render(operation, await operation.handle(await around.deps(), input, caller))
      return around.fit?.(reply, asked.headers) ?? reply
    }),
  )
}

/** The same for what reached no operation. */
export const refuse = (asker: Asker, around: Around, refusal: Refusal): Promise<Response> =>
  exchange(asker, null, around, () => Promise.reject(refusal))

/** What makes two requests the same. Over what was sent, not over what defaults made of it: a default may depend on the clock. */
export const requestHashOf = (operation: AnyOperation<never>, given: Record<string, unknown>): Buffer =>
  createHash('sha256')
    .update(`${operation.name}\n${canonical(given)}`)
    .digest()

/** Everything around an answer: request id, timings, refusals, the log and the observer. */
async function exchange(
  { method, headers: sent }: Asker,
  operation: AnyOperation<never> | null,
  around: Around,
  work: (requestId: string, timings: Timings) => Promise<Reply>,
): Promise<Response> {
  const started = performance.now()
  const requestId = requestIdOf(sent)
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
  around.observe?.({ operation: operation?.name ?? null, method, status, code, ms, parts, requestId, replayed: REPLAYED in headers })
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
    // Made when asked for: few requests need it.
    get requestHash() {
      hash ??= requestHashOf(operation, given)
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
