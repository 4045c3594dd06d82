import type { z } from 'zod-own'
import type { Caller } from './caller.ts'

/** What a key may do. `admin` is everything. */
export const SCOPES = [
  'memories:read',
  'memories:write',
  'sessions:read',
  'sessions:write',
  'graph:read',
  'graph:write',
  'documents:read',
  'documents:write',
  'audit:read',
  'sync',
  'admin',
] as const

export type Scope = (typeof SCOPES)[number]
export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** A part of the deps that is there only for what needs it. */
export interface Need<D> {
  readonly name: keyof D & string
}

/** One thing a caller can ask for; route, validation, OpenAPI entry, Lambda and metrics labels all come from it. */
export interface Declaration<D, I extends z.ZodType, O extends z.ZodType> {
  /** `noun.verb`, unique; the operation id and the metrics label. */
  name: string
  method: Method
  /** `/v1/memories/{id}`: each `{parameter}` is a whole segment and a field of `input`. */
  path: `/${string}`
  /** One sentence for people. */
  summary: string
  description?: string
  /** The MCP tool that does the same; none: it is not offered to models. */
  mcp?: string
  /** What a model reads of an answer; default: the output as JSON. */
  mcpText?: (output: z.output<O>) => string
  /** Takes something away; default: DELETE. Models are warned, and asking twice is never taken for a retry. */
  destructive?: boolean
  /** What the key must be allowed to do; null: any valid key will do; `operator`: the operator's key and no other. */
  scope: Scope | 'operator' | null
  /** No key is asked for; `scope` is null. */
  public?: true
  /** A `z.strictObject` over path, query and body together. GET and DELETE take the fields from path and query, the others from path and body. */
  input: I
  /** Every answer is parsed by it before it leaves; a mismatch is `internal`. A string when `mediaType` is not JSON. */
  output: O
  /** Of a success; default 200. A handler may `answer` another one. */
  status?: number
  /** Further statuses of success, for the documentation. */
  statuses?: readonly number[]
  /** Takes part in idempotency; default: every method but GET. A search by POST says false. */
  write?: boolean
  /** Fields that a POST, PUT or PATCH takes from the query all the same. */
  query?: readonly (keyof z.input<I> & string)[]
  /** Default `application/json`. With any other, `output` is a string and leaves as it is. */
  mediaType?: string
  /** Largest body in bytes; default 1 MiB. */
  maxBytes?: number
  /** After so many milliseconds the caller gets `timeout` and `caller.signal` aborts; default 25,000. */
  deadlineMs?: number
  /** Honours `If-Match`; where it is not set, the header is refused. */
  ifMatch?: boolean
  /** The version of what is answered, for the `ETag` header; null: none. */
  etag?: (output: z.output<O>) => number | null
  /** A request as a caller would send it, for the documentation. */
  example?: z.input<I>
  /** The parts of the deps that not every operation has; default: none of them. Where it is deployed it has these and no others. */
  needs?: readonly Need<D>[]
  /** Throws a `Refusal` for every expected failure. Answers the output, or `answer(output, …)` when the status or a header depends on it. */
  handle: (deps: D, input: z.output<I>, caller: Caller) => Promise<z.input<O> | Answer<z.input<O>>> | z.input<O> | Answer<z.input<O>>
}

export interface Operation<D, I extends z.ZodType, O extends z.ZodType> extends Readonly<Declaration<D, I, O>> {
  readonly status: number
  readonly write: boolean
  readonly destructive: boolean
  readonly query: readonly string[] & readonly (keyof z.input<I> & string)[]
  readonly mediaType: string
  readonly maxBytes: number
  readonly deadlineMs: number
  readonly needs: readonly Need<D>[]
}

/** An operation over these deps, whatever goes in and out. */
export type AnyOperation<D> = Operation<D, any, any>

/** `operation`, bound to one kind of deps: `export const operation: Declare<Deps> = declare`. */
export type Declare<D> = <I extends z.ZodType, O extends z.ZodType>(declaration: Declaration<D, I, O>) => Operation<D, I, O>

export const MIB = 1024 * 1024

/** Declares an operation, with its defaults filled in, frozen. Mistakes that types cannot show are thrown by `serve` at start. */
export function operation<D, I extends z.ZodType, O extends z.ZodType>(declaration: Declaration<D, I, O>): Operation<D, I, O> {
  return Object.freeze({
    status: 200,
    write: declaration.method !== 'get',
    destructive: declaration.method === 'delete',
    query: [],
    mediaType: 'application/json',
    maxBytes: MIB,
    deadlineMs: 25_000,
    needs: [],
    ...declaration,
  })
}

export interface AnswerOptions {
  status?: number
  headers?: Readonly<Record<string, string>>
  /** The first answer to this idempotency key, shown again. */
  replayed?: boolean
}

/** An output together with what depends on it. */
export class Answer<T> {
  readonly output: T
  readonly options: AnswerOptions

  constructor(output: T, options: AnswerOptions) {
    this.output = output
    this.options = options
  }
}

export const answer = <T>(output: T, options: AnswerOptions): Answer<T> => new Answer(output, options)
