import type { z } from 'zod-own'
import type { Field, Place } from './fields.ts'
import { dotted, flaw, parseObject } from './json.ts'
import type { AnyOperation } from './operation.ts'
import { readBody } from './read-body.ts'
import { type FieldError, invalid } from './refusal.ts'

/** Path, query and body of a request as one object, before its schema has seen it. Refused as `invalid`, `too_large` or `unsupported_media_type`. */
export async function readInput(
  operation: AnyOperation<never>,
  fields: ReadonlyMap<string, Field>,
  request: Request,
): Promise<Record<string, unknown>> {
  const url = new URL(request.url)
  const errors: FieldError[] = []
  const given: Record<string, unknown> = Object.create(null)
  const take = (place: Place, name: string, value: () => unknown) => {
    const field = fields.get(name)
    if (!field) errors.push({ path: dotted([name]), message: 'is not a known field' })
    else if (field.place !== place) errors.push({ path: name, message: `belongs in the ${field.place}, not in the ${place}` })
    else given[name] = value()
  }
  for (const [name, values] of [...readPath(operation.path, url.pathname, errors)]) take('path', name, () => fields.get(name)?.read(values))
  for (const [name, values] of [...readQuery(url.search, errors)]) take('query', name, () => fields.get(name)?.read(values))
  if (operation.method !== 'get') {
    const bytes = await readBody(request, operation.maxBytes)
    if (bytes) for (const [name, value] of Object.entries(parseObject(bytes))) take('body', name, () => value)
  }
  if (errors.length > 0) throw invalid(withSchema(operation.input, given, errors))
  return given
}

/** The input as the handler wants it, or `invalid` with the path of each bad field. */
export function parseInput<I extends z.ZodType>(schema: I, given: Record<string, unknown>): z.output<I> {
  const parsed = schema.safeParse(given, { error: wording })
  if (!parsed.success) throw invalid(fieldErrors(parsed.error.issues))
  return parsed.data
}

/** So that one answer names everything: a field of no known name and another of the wrong type. */
function withSchema(schema: z.ZodType, given: Record<string, unknown>, errors: FieldError[]): FieldError[] {
  const parsed = schema.safeParse(given, { error: wording })
  const named = new Set(errors.map((error) => error.path))
  return parsed.success ? errors : [...errors, ...fieldErrors(parsed.error.issues).filter((error) => !named.has(error.path))]
}

const wording: z.core.$ZodErrorMap = (issue) => (issue.input === undefined && issue.code !== 'custom' ? 'is required' : undefined)

/** Issues as paths and sentences. Of a union, the branch that came closest speaks. */
function fieldErrors(issues: readonly z.core.$ZodIssue[], above: PropertyKey[] = []): FieldError[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path]
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: dotted([...path, key]), message: 'is not a known field' }))
    if (issue.code === 'invalid_union' && issue.message !== 'is required') {
      const closest = issue.errors.filter((branch) => branch.every((each) => each.path.length > 0)).sort((a, b) => a.length - b.length)[0]
      if (closest?.length) return fieldErrors(closest, path)
    }
    return [{ path: path.length > 0 ? dotted(path) : 'body', message: issue.message }]
  })
}

function readPath(template: string, pathname: string, errors: FieldError[]): Map<string, string[]> {
  const segments = pathname.split('/')
  const values = new Map<string, string[]>()
  for (const [index, part] of template.split('/').entries()) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    const value = name === undefined ? null : decodeField(name, segments[index] ?? '', errors)
    if (name !== undefined && value !== null) values.set(name, [value])
  }
  return values
}

/** `URLSearchParams` would put U+FFFD in place of bad bytes; here they are refused. */
function readQuery(search: string, errors: FieldError[]): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const pair of search.slice(1).split('&').filter(Boolean)) {
    const [rawName = '', ...rest] = pair.replaceAll('+', ' ').split('=')
    const name = decodeField('query', rawName, errors)
    if (name === null) continue
    const value = decodeField(name, rest.join('='), errors)
    if (value !== null) values.set(name, [...(values.get(name) ?? []), value])
  }
  return values
}

function decodeField(name: string, text: string, errors: FieldError[]): string | null {
  try {
    const value = decodeURIComponent(text)
    const bad = flaw(value)
    if (!bad) return value
    errors.push({ path: dotted([name]), message: bad })
  } catch {
    errors.push({ path: dotted([name]), message: 'must be percent-encoded UTF-8' })
  }
  return null
}
