import { ContentHash, Document, DocumentType, FilePath, STATUSES } from '@twofold/core/documents/document.ts'
import { listDocuments } from '@twofold/core/documents/list.ts'
import { Moment, onePlace } from '@twofold/core/memories/fields.ts'
import { cursorAt, Page } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { listingOf, paged } from '../memories/page.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'documents.list',
  method: 'get',
  path: '/v1/documents',
  scope: 'documents:read',
  summary: 'Documents in the order they were first put, filtered.',
  input: z
    .strictObject({
      ...paged,
      filePath: FilePath.optional(),
      syncStatus: z.enum(STATUSES).optional(),
      documentType: DocumentType.optional(),
      contentHash: ContentHash.optional(),
      updatedSince: Moment.optional(),
    })
    .superRefine(onePlace),
  output: Page(Document),
  handle: async (deps, input, caller) => {
    const { items, next } = await listDocuments(deps, caller, { ...input, ...listingOf(input) })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
