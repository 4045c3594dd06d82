import { Components, mapRefs } from '../components.ts'
import type { JsonSchema } from '../fields.ts'
import type { AnyOperation } from '../operation.ts'

/** A tool as a model sees it. */
export interface Definition {
  name: string
  title: string
  description: string
  inputSchema: JsonSchema & { type: 'object' }
  outputSchema: JsonSchema & { type: 'object' }
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; idempotentHint: boolean; openWorldHint: boolean }
}

export interface Tool<D> {
  operation: AnyOperation<D>
  definition: Definition
}

/** The operations that name a tool, by that name, in their order. Throws when two name the same, or a schema is no object. */
export function toolsOf<D>(operations: readonly AnyOperation<D>[]): Map<string, Tool<D>> {
  const offered = operations.filter(({ mcp }) => mcp !== undefined)
  const components = new Components()
  // Those that are not offered too: what is offered may refer to a part that only they name.
  const sides = operations.map((operation) => ({
    input: components.add(operation.input, 'input', `${operation.name}.input`),
    output: components.add(operation.output, 'output', `${operation.name}.output`),
  }))
  const { document, schemas } = components.finish({ sides })
  const tools = new Map<string, Tool<D>>()
  for (const operation of offered) {
    const { input, output } = document.sides[operations.indexOf(operation)] as (typeof sides)[number]
    const name = operation.mcp as string
    if (tools.has(name)) throw new Error(`Two tools are called ${name}`)
    tools.set(name, { operation, definition: definitionOf(operation, name, whole(input, schemas), whole(output, schemas)) })
  }
  return tools
}

function definitionOf<D>(operation: AnyOperation<D>, name: string, input: JsonSchema, output: JsonSchema): Definition {
  const { method, write, destructive, summary, description } = operation
  const asObject = (schema: JsonSchema, side: string) => {
    if (!schema.properties && !schema.anyOf) throw new Error(`The ${side} of the tool ${name} is no object`)
    return { ...schema, type: 'object' as const }
  }
  return {
    name,
    title: name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' '),
    description: description ? `${summary} ${description}` : summary,
    inputSchema: asObject(input, 'input'),
    outputSchema: asObject(output, 'output'),
    annotations: {
      readOnlyHint: !write,
      destructiveHint: destructive,
      idempotentHint: !write || method === 'put' || destructive,
      // What is remembered here, and nothing of the world outside.
      openWorldHint: false,
    },
  }
}

const SHARED = '#/components/schemas/'

/** A schema that stands alone, with all that it refers to. */
function whole({ $ref, ...root }: JsonSchema, schemas: JsonSchema): JsonSchema {
  const $defs: JsonSchema = {}
  const own = (value: JsonSchema): JsonSchema =>
    mapRefs(value, (ref) => {
      const name = ref.slice(SHARED.length)
      if (!Object.hasOwn($defs, name)) {
        $defs[name] = {}
        $defs[name] = own(schemas[name])
      }
      return `#/$defs/${name}`
    })
  const schema = own($ref === undefined ? root : { ...schemas[$ref.slice(SHARED.length)], ...root })
  return Object.keys($defs).length > 0 ? { ...schema, $defs } : schema
}

const PLACES = ['namespace', 'namespacePrefix', 'userId']

/**
 * The arguments with the namespace of the connection where the model named none: what is read is looked for in it and below,
 * what is written goes right there.
 */
export function placed<D>({ operation, definition }: Tool<D>, given: Record<string, unknown>, namespace: string): Record<string, unknown> {
  const { properties, $defs = {} } = definition.inputSchema
  const items = properties?.items?.items
  const each = items && ($defs[String(items.$ref).replace('#/$defs/', '')] ?? items)
  if (each?.properties?.namespace && Array.isArray(given.items))
    return { ...given, items: given.items.map((item) => fill(each.properties, item, namespace, false)) }
  return fill(properties ?? {}, given, namespace, !operation.write) as Record<string, unknown>
}

function fill(properties: JsonSchema, given: unknown, namespace: string, reads: boolean): unknown {
  if (typeof given !== 'object' || given === null || PLACES.some((place) => Object.hasOwn(given, place))) return given
  const fields = reads ? ['namespacePrefix', 'namespace'] : ['namespace', 'namespacePrefix']
  const field = fields.find((name) => Object.hasOwn(properties, name))
  return field === undefined ? given : { ...given, [field]: namespace }
}
