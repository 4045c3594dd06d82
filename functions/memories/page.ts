import { MemoryId } from '@twofold/core/memories/fields.ts'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { Name, Namespace, NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt, limit } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'

/** What every list of memories takes: where, and which page. */
export const paged = {
  namespace: Namespace.optional(),
  namespacePrefix: NamespacePrefix.optional(),
  userId: Name.optional(),
  maxStalenessMs,
  limit,
  cursor: cursor(MemoryId),
}

interface Paged {
  namespace?: string
  namespacePrefix?: string
  userId?: string
  limit: number
  cursor?: string
}

/** The same as `core` asks for it. */
export const listingOf = ({ namespace, namespacePrefix, userId, limit, cursor }: Paged) => ({
  namespace,
  namespacePrefix: namespacePrefix ?? (userId === undefined ? undefined : `user:${userId}`),
  limit,
  after: cursor ?? null,
})

export const pageOf = ({ items, next }: { items: Memory[]; next: string | null }) => ({ items, nextCursor: cursorAt(next) })
