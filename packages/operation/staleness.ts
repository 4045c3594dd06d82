import * as z from 'zod-own'

/** What every read takes: the oldest answer that the caller would have. */
export const maxStalenessMs = z
  .int()
  .min(0)
  .max(86_400_000)
  .optional()
  .meta({ description: 'How old an answer may be, in milliseconds; 0 unless told.' })
