import { syncDue, tenantsWithDocuments } from '@twofold/core/documents/sync.ts'
import { embedder } from '../parts/embedder.ts'
import { queue } from '../parts/queue.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Goes on with documents that are not synced: chunks that had no room in the request, vectors, and what is to be erased. */
export const documents = scheduled({
  name: 'documents',
  every: 'DOCUMENTS_INTERVAL_MS',
  // Less than the minute until the next.
  longestMs: 45_000,
  needs: [embedder, queue],
  work(round) {
    const { deps } = round
    const waiting = (now: Date, most: number) => tenantsWithDocuments(deps.embedder.model, now, most)
    return forTenants(round, [{ name: 'documents', waiting, work: (tenant) => syncDue(deps, tenant, round) }])
  },
})

export const handler = documents.handler
