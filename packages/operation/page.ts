import * as z from 'zod-own'

/** How many items a page holds: 1 to 500, 50 unless told. */
export const limit = z.int().min(1).max(500).default(50)

/**
 * An opaque cursor in a request, parsed back into the position that `position` describes; undefined on the first page.
 * Anything that no answer of ours could hold is `invalid`, naming `cursor`.
 */
export const cursor = <P extends z.ZodType>(position: P) =>
  z
    .string()
    .max(2000)
    .transform((text, context): z.output<P> => {
      const parsed = position.safeParse(decode(text))
      if (parsed.success) return parsed.data
      context.issues.push({ code: 'custom', input: text, message: 'must be the nextCursor of an earlier answer to the same request' })
      return z.NEVER
    })
    .optional()

/** The cursor that goes on after `position`; null at the end. */
export const cursorAt = (position: unknown): string | null =>
  position === null ? null : Buffer.from(JSON.stringify(position)).toString('base64url')

/** A page of `item`s; `nextCursor` is null at the end. */
export const Page = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), nextCursor: z.string().nullable() })

function decode(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
}
