import { STATUS_CODES } from 'node:http'
import * as z from 'zod-own'
import { Components } from './components.ts'
import { type JsonSchema, placeOf } from './fields.ts'
import type { AnyOperation } from './operation.ts'
import { type Code, STATUS } from './refusal.ts'

export interface About {
  title: string
  version: string
  description: string
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

const Problem = z
  .looseObject({
    type: z.string().meta({ format: 'uri-reference' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(STATUS) as [Code, ...Code[]]),
    requestId: z.string(),
    errors: z
      .array(z.object({ path: z.string().meta({ examples: ['items[3].content', 'headers.If-Match'] }), message: z.string() }))
      .optional()
      .meta({ description: 'For `invalid`: every bad field.' }),
    retryAfterMs: z.int().optional().meta({ description: 'When a retry can help.' }),
  })
  .meta({ id: 'Problem', description: 'What went wrong (RFC 9457).' })

const HEADERS = {
  RequestId: { description: 'Names this request in the log and in problems.', schema: { type: 'string' } },
  ServerTiming: { description: 'The parts of the time, in milliseconds.', schema: { type: 'string' } },
  ETag: { description: 'The version, in double quotes.', schema: { type: 'string', examples: ['"3"'] } },
  IdempotencyReplayed: { description: '`true` when this is the first answer again.', schema: { type: 'string', const: 'true' } },
  RetryAfter: { description: 'Seconds until a retry can help.', schema: { type: 'integer' } },
  Allow: { description: 'The methods that the route takes.', schema: { type: 'string' } },
}

const PARAMETERS = {
  RequestId: header('X-Request-Id', 'Kept and answered when it is well formed, else replaced.', '^[A-Za-z0-9_.:-]{8,128}$'),
  OnBehalfOf: header('X-On-Behalf-Of', 'The person or agent behind the key, for the audit.', '^[ -~]{1,255}$'),
  IdempotencyKey: header('Idempotency-Key', 'The same key and request get the first answer again, for 24 hours.', '^[!-~]{1,255}$'),
  IfMatch: header('If-Match', 'Only if this is still the version: its ETag, or *.', '^("[1-9][0-9]*"|\\*)$'),
}

/** The OpenAPI 3.1 document of these operations; the same operations give the same text. */
export function openapi(operations: readonly AnyOperation<never>[], about: About): JsonSchema {
  const components = new Components()
  const sorted = operations.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
  const paths: JsonSchema = {}
  for (const operation of sorted) {
    paths[operation.path] ??= {}
    paths[operation.path][operation.method] = entry(operation, components)
  }
  const problem = components.add(Problem, 'output', 'Problem')
  const { document, schemas } = components.finish({ paths, responses: problems(problem) })
  return {
    openapi: '3.1.1',
    info: { ...about, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [...new Set(sorted.map(tagOf))].sort().map((name) => ({ name })),
    paths: document.paths,
    components: {
      schemas,
      responses: document.responses,
      parameters: PARAMETERS,
      headers: HEADERS,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' } },
    },
  }
}

const order = (operation: AnyOperation<never>): string => `${operation.path} ${METHODS.indexOf(operation.method)}`
const tagOf = (operation: AnyOperation<never>): string => operation.name.split('.')[0] as string

function entry(operation: AnyOperation<never>, components: Components): JsonSchema {
  const input = components.add(operation.input, 'input', `${operation.name}.input`)
  const output = components.add(operation.output, 'output', `${operation.name}.output`)
  return {
    operationId: operation.name,
    tags: [tagOf(operation)],
    summary: operation.summary,
    ...(operation.description && { description: operation.description }),
    security: operation.public ? [] : [{ bearer: operation.scope === null ? [] : [operation.scope] }],
    parameters: [...parametersOf(operation, components.resolve(input)), ...headersOf(operation)],
    ...bodyOf(operation, input, components.resolve(input)),
    responses: { ...successes(operation, output), ...refusals(operation) },
  }
}

function parametersOf(operation: AnyOperation<never>, { properties = {}, required = [] }: JsonSchema): JsonSchema[] {
  return Object.entries<JsonSchema>(properties)
    .filter(([name]) => placeOf(operation, name) !== 'body')
    .map(([name, { description, ...schema }]) => ({
      name,
      in: placeOf(operation, name),
      required: placeOf(operation, name) === 'path' || required.includes(name),
      ...(description && { description }),
      schema,
    }))
}

function headersOf(operation: AnyOperation<never>): JsonSchema[] {
  const names: (keyof typeof PARAMETERS)[] = ['RequestId']
  if (!operation.public) names.push('OnBehalfOf')
  if (operation.write) names.push('IdempotencyKey')
  if (operation.ifMatch) names.push('IfMatch')
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }))
}

/** The whole input where nothing of it is in path or query, else what is left of it. */
function bodyOf(operation: AnyOperation<never>, input: JsonSchema, { properties = {}, required = [], ...rest }: JsonSchema): JsonSchema {
  const names = Object.keys(properties).filter((name) => placeOf(operation, name) === 'body')
  if (names.length === 0) return {}
  const needed = required.filter((name: string) => names.includes(name))
  const left = {
    ...rest,
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
    ...(needed.length > 0 && { required: needed }),
  }
  const schema = names.length === Object.keys(properties).length ? input : left
  const example = operation.example && Object.fromEntries(Object.entries(operation.example).filter(([name]) => names.includes(name)))
  return { requestBody: { required: needed.length > 0, content: { 'application/json': { schema, ...(example && { example }) } } } }
}

const headerRef = (name: keyof typeof HEADERS) => ({ $ref: `#/components/headers/${name}` })

function successes(operation: AnyOperation<never>, schema: JsonSchema): JsonSchema {
  const headers = {
    'X-Request-Id': headerRef('RequestId'),
    'Server-Timing': headerRef('ServerTiming'),
    ...(operation.etag && { ETag: headerRef('ETag') }),
    ...(operation.write && { 'Idempotency-Replayed': headerRef('IdempotencyReplayed') }),
  }
  const statuses = [operation.status, ...(operation.statuses ?? [])]
  const one = (status: number) => ({ description: STATUS_CODES[status] as string, headers, content: { [operation.mediaType]: { schema } } })
  return Object.fromEntries(statuses.map((status) => [status, one(status)]))
}

function refusals(operation: AnyOperation<never>): JsonSchema {
  const statuses = [400, 405, 500, 503, 504]
  if (!operation.public) statuses.push(401, 403, 404, 429)
  if (operation.method !== 'get') statuses.push(413, 415)
  if (operation.write) statuses.push(409, 410)
  if (operation.ifMatch) statuses.push(412)
  return Object.fromEntries(statuses.sort().map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]))
}

/** One response for each status that a refusal can have, naming its codes. */
function problems(schema: JsonSchema): JsonSchema {
  const codes = Object.groupBy(Object.keys(STATUS) as Code[], (code) => STATUS[code])
  const headers = (status: number) => ({
    'X-Request-Id': headerRef('RequestId'),
    ...(status === 405 && { Allow: headerRef('Allow') }),
    ...((status === 429 || status === 503) && { 'Retry-After': headerRef('RetryAfter') }),
  })
  const one = ([status, names = []]: [string, Code[] | undefined]): [string, JsonSchema] => [
    `Problem${status}`,
    {
      description: `${STATUS_CODES[status]}: ${names.join(', ')}`,
      headers: headers(Number(status)),
      content: { 'application/problem+json': { schema } },
    },
  ]
  return Object.fromEntries(Object.entries(codes).map((each) => one(each as [string, Code[]])))
}

function header(name: string, description: string, pattern: string): JsonSchema {
  return { name, in: 'header', required: false, description, schema: { type: 'string', pattern } }
}
