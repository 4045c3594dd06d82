import { storable } from '../json.ts'
import type { AnyOperation } from '../operation.ts'
import { type Asker, perform, type Surroundings } from '../perform.ts'

/** Something a person can put before a model: an operation's answer under an address. */
export interface Resource<D> {
  /** `twofold://sessions/{id}`: each `{variable}` is a whole segment. */
  uri: string
  name: string
  description: string
  operation: AnyOperation<D>
  /** The input for what the address names, in a connection with this namespace. */
  input(variables: Record<string, string>, namespace: string | null): Record<string, unknown>
  /** Which ones there are, newest first or by name: what lists them, and how one of its items is called. Only for addresses with a variable. */
  among?: { operation: AnyOperation<D>; variables(item: any): Record<string, string> }
}

export type Listed = {
  resources: { uri: string; name: string; description: string; mimeType: string }[]
  nextCursor?: string
}

const MIME = 'application/json'
const VARIABLE = /\{(\w+)\}/g
const fixed = (uri: string) => uri.search(VARIABLE) === -1
const fillIn = (uri: string, variables: Record<string, string>) =>
  uri.replaceAll(VARIABLE, (_, name) => encodeURIComponent(variables[name] as string))

/** The addresses without variables first, then page by page those that operations list. An operation that refuses lists nothing. */
export async function listResources<D>(
  resources: readonly Resource<D>[],
  asker: Asker,
  around: Surroundings<D>,
  cursor: string | undefined,
): Promise<Listed> {
  const listing = resources.filter(({ among }) => among)
  const [index, after] = cursor === undefined ? [0, null] : at(cursor)
  const first = resources
    .filter(({ uri }) => cursor === undefined && fixed(uri))
    .map(({ uri, name, description }) => ({ uri, name, description, mimeType: MIME }))
  const here = listing[index]
  if (!here?.among) return { resources: first }
  const { operation, variables } = here.among
  const given = after === null ? {} : { cursor: after }
  const response = await perform(operation, { ...asker, given: async () => given }, around)
  const page = response.ok ? ((await response.json()) as { items: unknown[]; nextCursor: string | null }) : { items: [], nextCursor: null }
  const found = page.items.map((item) => {
    const named = variables(item)
    return { uri: fillIn(here.uri, named), name: Object.values(named).join(' '), description: here.description, mimeType: MIME }
  })
  const next = page.nextCursor !== null ? [index, page.nextCursor] : index + 1 < listing.length ? [index + 1, null] : null
  return { resources: [...first, ...found], ...(next && { nextCursor: Buffer.from(JSON.stringify(next)).toString('base64url') }) }
}

function at(cursor: string): [number, string | null] {
  try {
    const [index, after] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return [Number(index), after === null ? null : String(after)]
  } catch {
    return [Number.NaN, null]
  }
}

export const templatesOf = <D>(resources: readonly Resource<D>[]) =>
  resources.filter(({ uri }) => !fixed(uri)).map(({ uri, name, description }) => ({ uriTemplate: uri, name, description, mimeType: MIME }))

/** What stands under an address: the answer of its operation, or its refusal. Null for an address of no resource. */
export async function readResource<D>(
  resources: readonly Resource<D>[],
  { uri, namespace }: { uri: string; namespace: string | null },
  asker: Asker,
  around: Surroundings<D>,
): Promise<Response | null> {
  for (const resource of resources) {
    const variables = match(resource.uri, uri)
    if (variables)
      return perform(resource.operation, { ...asker, given: async () => storable(resource.input(variables, namespace)) }, around)
  }
  return null
}

function match(template: string, uri: string): Record<string, string> | null {
  const [parts, given] = [template.split('/'), uri.split('/')]
  if (parts.length !== given.length) return null
  const variables: Record<string, string> = {}
  for (const [i, part] of parts.entries()) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined && part !== given[i]) return null
    if (name === undefined) continue
    const value = decoded(given[i] as string)
    if (!value) return null
    variables[name] = value
  }
  return variables
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
