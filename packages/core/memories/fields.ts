import * as z from 'zod-own'
import { Name, Namespace } from '../namespaces/namespace.ts'

/** What fields of requests may hold, whatever is asked for. */

export const TYPES = ['semantic', 'episodic', 'procedural'] as const
export const MAX_CONTENT = 100_000

export const text = (most: number) => z.string().min(1).max(most)
/** Characters, not UTF-16 units: an emoji is one. */
export const Content = z
  .string()
  .min(1)
  .refine((t) => t.length <= MAX_CONTENT || [...t].length <= MAX_CONTENT, `must have at most ${MAX_CONTENT} characters`)
  .meta({ maxLength: MAX_CONTENT })
const inRange = (year: number) => year >= 1 && year <= 9999
/** A moment as the caller wrote it, with any offset; kept in UTC with milliseconds. */
export const Moment = z.iso
  .datetime({ offset: true, abort: true, error: 'must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z' })
  .refine((t) => inRange(new Date(t).getUTCFullYear()), 'must be in the years 1 to 9999, in UTC')
  .transform((t) => new Date(t).toISOString())
/** A session, conversation or task id: the caller's own string. */
export const Id = z.string().regex(/^[^/\p{Cc}\p{Cs}]{1,255}$/u, 'must be 1 to 255 characters without "/" or control characters')

export const MemoryType = z.enum(TYPES)
export const Kind = z
  .string()
  .regex(/^[a-z_]{1,40}$/, 'must be 1 to 40 lower-case letters or underscores, such as note, decision or preference')
export const Key = z.string().regex(/^[^/\p{Cc}\p{Cs}]{1,255}$/u, 'must be 1 to 255 characters without "/" or control characters')
/** In small letters, as Postgres answers it, so that what is compared here is compared as it is stored. */
export const MemoryId = z.uuid('must be a UUID').toLowerCase()

export const Version = z.int().min(1).max(2_147_483_647)

/** Text that is not blank. */
export const line = (most: number) => text(most).regex(/\S/, 'must not be blank')

/** Where a request's memories belong: a namespace, or `userId` for `user:<userId>`. */
export const place = { namespace: Namespace.optional(), userId: Name.optional() }
/** For requests that may name one place, or none. */
export const onePlace = (input: { namespace?: string; namespacePrefix?: string; userId?: string }, context: z.RefinementCtx): void => {
  const named = (['namespace', 'namespacePrefix', 'userId'] as const).filter((name) => input[name] !== undefined)
  if (named.length > 1)
    context.addIssue({ code: 'custom', path: [named[1] as string], message: `cannot be given together with ${named[0]}` })
}

/** What a request that makes a memory needs, whatever the memory is made from. */
export const makesMemory = (
  input: { namespace?: string; userId?: string; onGraphFailure?: string; waitFor?: string },
  context: z.RefinementCtx,
): void => {
  const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (input.namespace === undefined && input.userId === undefined) issue('namespace', 'is required, or userId in its place')
  if (input.namespace !== undefined && input.userId !== undefined) issue('userId', 'cannot be given together with namespace')
  if (input.onGraphFailure === 'rollback' && input.waitFor === 'vector') issue('waitFor', 'must be graph when onGraphFailure is rollback')
}
