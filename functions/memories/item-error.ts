import type { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'

/** The place of an item that was refused. */
export const ItemError = z.object({
  ok: z.literal(false),
  error: z.object({
    code: z.string(),
    status: z.number(),
    detail: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  }),
})

export const itemError = ({ code, status, message, details }: Refusal): z.infer<typeof ItemError> => ({
  ok: false,
  error: { code, status, detail: message, ...(details.errors ? { errors: details.errors } : {}) },
})
