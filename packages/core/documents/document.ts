import { createHash } from 'node:crypto'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'

/** The most that a document may hold, in bytes of UTF-8. */
export const MOST_BYTES = 4 * 1024 * 1024

export const STATUSES = ['pending', 'synced', 'failed', 'stale'] as const

export const Document = z
  .object({
    id: z.string(),
    namespace: z.string(),
    filePath: z.string(),
    title: z.string(),
    documentType: z.string(),
    metadata: z.record(z.string(), z.json()),
    contentHash: z.string().meta({ description: 'SHA-256 of the content, in hexadecimal.' }),
    bytes: z.number(),
    chunkCount: z.number().meta({ description: 'Chunks of what was put last; a passage that stands twice is one.' }),
    embeddingModel: z.string(),
    syncStatus: z.enum(STATUSES).meta({
      description:
        'pending: some chunks, or their vectors, are still to come. stale: its vectors are of another model than the one in use, so it is found by its words alone. failed: see failure; it is tried again.',
    }),
    failure: z.string().nullable(),
    lastSyncedAt: z.string().nullable(),
    version: z.number(),
    createdBy: z.string(),
    updatedBy: z.string(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Document' })
export type Document = z.infer<typeof Document>

export const DocumentAnswer = z.object({ document: Document })
export type DocumentAnswer = z.infer<typeof DocumentAnswer>

export const FilePath = z
  .string()
  .regex(/^(?=.*\S)[^\p{Cc}\p{Cs}]{1,1000}$/u, 'must be 1 to 1000 characters, not blank, without control characters')
export const DocumentType = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.+_-]{0,39}$/, 'must be 1 to 40 lower-case letters, digits or any of . + _ -, such as markdown or text')
export const ContentHash = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 hexadecimal digits')

export const noDocument = () => new Refusal('not_found', 'There is no such document.')

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** What a file of this name is, when nobody says. */
export const typeOf = (filePath: string): string => (/\.(md|mdx|markdown)$/i.test(filePath) ? 'markdown' : 'text')
