import { readDocument, Whole } from '@twofold/core/documents/read.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import { cursor, cursorAt, limit } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const get = operation({
  name: 'documents.get',
  method: 'get',
  path: '/v1/documents/{id}',
  scope: 'documents:read',
  summary: 'One document and how far it has come; with chunks=true a page of its chunks, with content=true its text.',
  input: z.strictObject({
    id: MemoryId,
    content: z.boolean().default(false),
    chunks: z.boolean().default(false),
    limit,
    cursor: cursor(z.int().min(0).max(1_000_000)),
    maxStalenessMs,
  }),
  output: Whole,
  etag: ({ document }) => document.version,
  handle: async (deps, { id, content, chunks, limit, cursor }, caller) => {
    const read = await readDocument(deps, caller, id, { content, chunks: chunks ? { limit, after: cursor ?? -1 } : null })
    return {
      document: read.document,
      ...(read.chunks ? { chunks: { items: read.chunks.items, nextCursor: cursorAt(read.chunks.next) } } : {}),
    }
  },
})

export const handler = lambda(get)
