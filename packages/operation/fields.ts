import { z } from 'zod'
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
  const schema = z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  const wrong = (what: string) => new Error(`Operation ${operation.name}: ${what}`)
  if (schema.additionalProperties !== false || !schema.properties) throw wrong('the input must be a strict object')
  const path = parameters(operation.path)
  for (const name of [...path, ...operation.query]) if (!schema.properties[name]) throw wrong(`${name} is not in the input`)
  const fromQuery = operation.method === 'get' || operation.method === 'delete'
  const place = (name: string): Place => {
    if (path.includes(name)) return 'path'
    return fromQuery || operation.query.includes(name) ? 'query' : 'body'
  }
  return new Map(
    Object.entries<JsonSchema>(schema.properties).map(([name, field]) => [
      name,
      { place: place(name), read: (values) => read(values, field, schema) },
    ]),
  )
}

/** The names in `/v1/memories/{id}`. */
export const parameters = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function read(values: readonly string[], schema: JsonSchema, root: JsonSchema): unknown {
  const kinds = alternatives(schema, root)
  const list = kinds.find((kind) => kind.type === 'array')
  if (list) return values.map((value) => read([value], list.items ?? {}, root))
  if (values.length > 1) return values
  const [value = ''] = values
  const takes = (...types: string[]) => kinds.some((kind) => types.includes(kind.type))
  if (takes('string')) return value
  if (takes('number', 'integer') && NUMBER.test(value)) return Number(value)
  if (takes('boolean') && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

/** A schema and everything it may stand for, references and unions resolved. */
function alternatives(schema: JsonSchema, root: JsonSchema, seen = new Set<JsonSchema>()): JsonSchema[] {
  if (seen.has(schema)) return []
  seen.add(schema)
  const target = typeof schema.$ref === 'string' ? root.$defs?.[schema.$ref.replace('#/$defs/', '')] : undefined
  const inner = [target, ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].filter(Boolean)
  return [schema, ...inner.flatMap((each: JsonSchema) => alternatives(each, root, seen))]
}
