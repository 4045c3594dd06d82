import * as z from 'zod-own'
import type { Range } from '../ports.ts'

export const ROOTS = ['temp', 'session', 'user', 'app', 'project'] as const

/** One segment: no `:`, `/` or control character, no lone surrogate; 1 to 255 characters. */
const SEGMENT = '[^:/\\p{Cc}\\p{Cs}]{1,255}'
const NAMESPACE = new RegExp(`^(?:${ROOTS.join('|')})(?::${SEGMENT})+$`, 'u')
const PREFIX = new RegExp(`^(?:${ROOTS.join('|')})(?::${SEGMENT})*$`, 'u')
const NAME = new RegExp(`^${SEGMENT}$`, 'u')

const says = `a path of 2 or more ':'-separated segments that begins with ${ROOTS.join(', ')}, such as user:alice:preferences`

/** What an index of Postgres takes as a key, together with a memory's own key. */
const MAX_BYTES = 1500
const path = (form: RegExp, message: string) =>
  z
    .string()
    .max(1000)
    .regex(form, message)
    .refine((namespace) => Buffer.byteLength(namespace) <= MAX_BYTES, `must have at most ${MAX_BYTES} bytes in UTF-8`)

/** A namespace that can own memories. */
export const Namespace = path(NAMESPACE, `must be ${says}`).meta({ id: 'Namespace', description: says })
/** A namespace or a root alone; matches whole segments. */
export const NamespacePrefix = path(PREFIX, `must be one of the roots ${ROOTS.join(', ')} or ${says}`)
/** Whom or what things are about: exactly two segments. */
export const Subject = Namespace.refine((subject) => subject.split(':').length === 2, 'must have exactly two segments, such as user:alice')
/** A caller's own name that becomes a segment (a user id, a session id). */
export const Name = z.string().regex(NAME, 'must be 1 to 255 characters without ":", "/" or control characters')

/** Whom or what a memory is about: the first two segments of its namespace. */
export const subjectOf = (namespace: string): string => namespace.split(':', 2).join(':')

/** The namespace that a request names, or that of its user. */
export const placeOf = (input: { namespace?: string; userId?: string }): string | null =>
  input.namespace ?? (input.userId === undefined ? null : `user:${input.userId}`)

/** Everything in exactly this namespace. U+0001 is the lowest character a string can have, and none may hold it. */
export const exactly = (namespace: string): Range[] => [{ low: namespace, high: `${namespace}\u0001` }]

/** Everything in or below this prefix, by whole segments: `user:al` does not cover `user:alice`. `;` follows `:` in C collation. */
export const below = (prefix: string): Range[] => [...exactly(prefix), { low: `${prefix}:`, high: `${prefix};` }]

/** Where the subjects lie of which these prefixes cover all or a part. */
export const subjectsWithin = (prefixes: readonly string[]): Range[] =>
  prefixes.flatMap((prefix) => (prefix.includes(':') ? exactly(subjectOf(prefix)) : granted([prefix])))

/** What a key's grants cover. U+10FFFF is the highest character there is. */
export const granted = (grants: readonly string[]): Range[] =>
  grants.flatMap((grant) => (grant === '*' ? [{ low: '', high: '\u{10FFFF}' }] : below(grant)))
