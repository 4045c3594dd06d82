import { toDotPath } from 'zod-own/v4/core'
import { type FieldError, invalid } from './refusal.ts'

const DEEPEST = 64

/** More are not looked for: a body of 4 MiB could hold half a million. */
const MOST_ERRORS = 50

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * A JSON object from bytes. Refused as `invalid`, with the path: what is not UTF-8 or not JSON, another value than an object, NUL and lone
 * surrogates in strings and keys, numbers that overflow, more than 64 levels, and keys that reach for a prototype.
 */
export function parseObject(bytes: Uint8Array): Record<string, unknown> {
  const value = parseJson(bytes)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid([{ path: 'body', message: 'must be a JSON object' }])
  return storable(value as Record<string, unknown>)
}

/** Any JSON value from bytes; its strings are not looked at. Refused as `invalid`. */
export const parseJson = (bytes: Uint8Array): unknown => parse(decode(bytes))

/** The object, unless it holds what `parseObject` refuses wherever it comes from. */
export function storable(value: Record<string, unknown>): Record<string, unknown> {
  const errors: FieldError[] = []
  collect(value, [], errors)
  if (errors.length > 0) throw invalid(errors)
  return value
}

/** What is wrong with a string wherever it comes from, or null. */
export function flaw(text: string): string | null {
  if (text.includes('\0')) return 'must not hold a NUL character'
  if (!text.isWellFormed()) return 'must not hold a lone surrogate'
  return null
}

/** `items[3].metadata["a b"]` */
export const dotted = (path: readonly PropertyKey[]): string => {
  const text = toDotPath(path)
  return text.length > 200 ? `${text.slice(0, 200).toWellFormed()}…` : text
}

/** One spelling for equal values: keys sorted, no spaces. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const record = value as Record<string, unknown>
  return `{${Object.keys(record)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(record[key])}`)
    .join(',')}}`
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw invalid([{ path: 'body', message: 'must be UTF-8' }])
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The rest of V8's message quotes the body.
    const where = /\(line \d+ column \d+\)/.exec((error as Error).message)?.[0]
    throw invalid([{ path: 'body', message: where ? `is not JSON ${where}` : 'is not JSON' }])
  }
}

function collect(value: unknown, path: PropertyKey[], errors: FieldError[]): void {
  if (errors.length >= MOST_ERRORS) return
  const add = (message: string | null) => message && errors.push({ path: dotted(path), message })
  if (typeof value === 'string') add(flaw(value))
  else if (typeof value === 'number') add(Number.isFinite(value) ? null : 'must be a finite number')
  else if (typeof value === 'object' && value !== null) {
    if (path.length >= DEEPEST) add(`must not be nested deeper than ${DEEPEST} levels`)
    else if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        path.push(i)
        collect(value[i], path, errors)
        path.pop()
      }
    } else collectObject(value as Record<string, unknown>, path, errors)
  }
}

function collectObject(value: Record<string, unknown>, path: PropertyKey[], errors: FieldError[]): void {
  for (const key of Object.keys(value)) {
    path.push(key)
    const bad = flaw(key) ?? (reachesPrototype(key, value[key]) ? 'is not allowed as a key' : null)
    if (bad) errors.push({ path: dotted(path), message: bad })
    else collect(value[key], path, errors)
    path.pop()
  }
}

const reachesPrototype = (key: string, value: unknown): boolean =>
  key === '__proto__' || (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))
