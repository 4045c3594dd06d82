import * as z from 'zod-own'
import type { JsonSchema } from './fields.ts'

type Io = 'input' | 'output'

const LOCAL = '#/$defs/'

interface Definition {
  id: string
  io: Io
  schema: JsonSchema
}

/**
 * JSON Schemas of many zod schemas that share their named parts (`.meta({ id })`). What a name means in a request and in an answer can differ
 * (defaults, transforms): then the one of requests is called `<id>Input`.
 */
export class Components {
  readonly definitions = new Map<string, Definition>()

  /** The JSON Schema of one side of `schema`; its named parts are kept as definitions. `owner` is who is told when a part that needs a name has none. */
  add(schema: z.ZodType, io: Io, owner: string): JsonSchema {
    const { $schema: _, $defs = {}, ...root } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema
    const ids = new Map(Object.entries<JsonSchema>($defs).map(([id, definition]) => [`${LOCAL}${id}`, nameOf(id, definition)]))
    const relink = (ref: string) => {
      const id = ids.get(ref)
      if (id === null || ref === '#') throw new Error(`A part of ${owner} refers to itself: give it a name by .meta({ id })`)
      return id === undefined ? ref : `${id}|${io}`
    }
    for (const [id, definition] of Object.entries<JsonSchema>($defs)) this.#define(relink(`${LOCAL}${id}`), mapRefs(definition, relink))
    return mapRefs(root, relink)
  }

  /** The definition that a reference of `add` stands for, else the schema itself. */
  resolve(schema: JsonSchema): JsonSchema {
    return this.definitions.get(schema.$ref)?.schema ?? schema
  }

  /** `components.schemas`, sorted by name, and the same document with every reference by its final name. */
  finish<T extends JsonSchema>(document: T): { document: T; schemas: JsonSchema } {
    const split = this.#split()
    const finalName = ({ id, io }: Definition) => (io === 'input' && split.has(id) ? `${id}Input` : id)
    const names = new Set([...this.definitions.values()].map(finalName))
    const rename = (ref: string) => {
      const definition = this.definitions.get(ref)
      const name = definition ? finalName(definition) : /^#\/components\/schemas\/(.+)$/.exec(ref)?.[1]
      if (name !== undefined && !names.has(name)) throw new Error(`No schema is called ${name}, yet one refers to it`)
      return name === undefined ? ref : `#/components/schemas/${name}`
    }
    const named = [...this.definitions.values()].map((each): [string, JsonSchema] => [finalName(each), mapRefs(each.schema, rename)])
    return { document: mapRefs(document, rename), schemas: Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1))) }
  }

  #define(key: string, schema: JsonSchema): void {
    const [id = '', io] = key.split('|')
    const known = this.definitions.get(key)
    if (known && JSON.stringify(known.schema) !== JSON.stringify(schema)) throw new Error(`Two schemas are called ${id}`)
    this.definitions.set(key, { id, io: io as Io, schema })
  }

  /** The ids whose two sides differ, in themselves or in what they refer to. */
  #split(): Set<string> {
    const split = new Set<string>()
    const text = (key: string) => {
      const definition = this.definitions.get(key)
      const sideless = (ref: string) => (split.has(ref.split('|')[0] ?? '') ? ref : (ref.split('|')[0] ?? ''))
      return definition && JSON.stringify(mapRefs(definition.schema, sideless))
    }
    for (let before = -1; before < split.size; ) {
      before = split.size
      for (const { id } of this.definitions.values()) {
        const [request, response] = [text(`${id}|input`), text(`${id}|output`)]
        if (request && response && request !== response) split.add(id)
      }
    }
    return split
  }
}

/** zod numbers the circles that have no name, anew in each document. `z.json()` is one of them and the same everywhere; others are null. */
function nameOf(id: string, definition: JsonSchema): string | null {
  if (!id.startsWith('__')) return id
  return JSON.stringify(mapRefs(definition, (ref) => (ref === `${LOCAL}${id}` ? '#' : ref))) === JSON_SHAPE ? 'Json' : null
}

const { $schema: _, ...json } = z.toJSONSchema(z.json())
const JSON_SHAPE = JSON.stringify(json)

/** The same value with every reference in it as `map` says. */
export function mapRefs<T>(value: T, map: (ref: string) => string): T {
  if (Array.isArray(value)) return value.map((each) => mapRefs(each, map)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, key === '$ref' && typeof each === 'string' ? map(each) : mapRefs(each, map)]),
  ) as T
}
