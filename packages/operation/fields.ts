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
  const root = z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  const schema = resolve(root, root)
  const wrong = (what: string) => new Error(`Operation ${operation.name}: ${what}`)
  if (schema.additionalProperties !== false || !schema.properties) throw wrong('the input must be a strict object')
  for (const name of [...parameters(operation.path), ...operation.query]) {
    if (!schema.properties[name]) throw wrong(`${name} is not in the input`)
  }
  const field = (name: string, of: JsonSchema): Field => ({ place: placeOf(operation, name), read: (values) => read(values, of, root) })
  return new Map(Object.entries<JsonSchema>(schema.properties).map(([name, of]) => [name, field(name, of)]))
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
