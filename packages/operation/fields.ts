import * as z from 'zod-own'
import type { AnyOperation } from './operation.ts'

export type JsonSchema = { [member: string]: any }
export type Place = 'path' | 'query' | 'body'

export interface Field {
  place: Place
  /** Reads the strings of a path or query as what the schema takes; what does not fit is left for the schema to refuse. */
  read(values: readonly string[]): unknown
}

/** Where each field of an operation's input comes from. Throws when the declaration does not hold together. */
export function fieldsOf(operation: AnyOperation<never>): Map<string, Field> {
  const { name: called, path, query, input } = operation
  const wrong = (what: string) => new Error(`Operation ${called}: ${what}`)
  if (!(input instanceof z.ZodObject && input.def.catchall instanceof z.ZodNever)) throw wrong('the input must be a strict object')
  for (const name of [...parameters(path), ...query]) {
    if (!Object.hasOwn(input.shape, name)) throw wrong(`${name} is not in the input`)
  }
  return new Map(
    Object.entries(input.shape).map(([name, of]) => [name, { place: placeOf(operation, name), read: reader(of as z.ZodType) }]),
  )
}

/** What a field takes is looked at when it is first given by a string: of all fields of all operations that is a quarter of a second. */
function reader(field: z.ZodType): Field['read'] {
  let root: JsonSchema | undefined
  return (values) => {
    root ??= z.toJSONSchema(field, { io: 'input', unrepresentable: 'any' }) as JsonSchema
    return read(values, root, root)
  }
}

export function placeOf(operation: AnyOperation<never>, name: string): Place {
  if (parameters(operation.path).includes(name)) return 'path'
  return operation.method === 'get' || operation.method === 'delete' || operation.query.includes(name) ? 'query' : 'body'
}

/** The names in `/v1/memories/{id}`. */
export const parameters = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function read(values: readonly string[], schema: JsonSchema, root: JsonSchema): unknown {
  const kinds = alternatives(schema, root)
  const takes = (...types: string[]) => kinds.find((kind) => [kind.type].flat().some((type) => types.includes(type)))
  const list = takes('array')
  if (list) return values.map((value) => read([value], list.items ?? {}, root))
  if (values.length > 1) return values
  const [value = ''] = values
  if (takes('string')) return value
  if (takes('number', 'integer') && NUMBER.test(value)) return Number(value)
  if (takes('boolean') && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

/** A schema and everything it may stand for, references and unions resolved. */
function alternatives(schema: JsonSchema, root: JsonSchema, seen = new Set<JsonSchema>()): JsonSchema[] {
  const here = resolve(schema, root)
  if (seen.has(here)) return []
  seen.add(here)
  return [
    here,
    ...[here.anyOf, here.oneOf, here.allOf].flatMap((list: JsonSchema[] = []) => list.flatMap((each) => alternatives(each, root, seen))),
  ]
}

const resolve = (schema: JsonSchema, root: JsonSchema): JsonSchema => root.$defs?.[schema.$ref?.replace('#/$defs/', '')] ?? schema
