import type { Deps } from '@twofold/core/ports.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { list as listAudit } from './audit/list.ts'
import { cleanup } from './conversations/cleanup.ts'
import { get as getConversation } from './conversations/get.ts'
import { list as listConversations } from './conversations/list.ts'
import { remove as removeDocument } from './documents/delete.ts'
import { get as getDocument } from './documents/get.ts'
import { list as listDocuments } from './documents/list.ts'
import { put as putDocument } from './documents/put.ts'
import { sync as syncDocuments } from './documents/sync.ts'
import { createEntities } from './graph/create-entities.ts'
import { entities } from './graph/entities.ts'
import { entity } from './graph/entity.ts'
import { link } from './graph/link-nodes.ts'
import { merge } from './graph/merge-entities.ts'
import { unmerge } from './graph/unmerge-entity.ts'
import { list as listKeys } from './keys/list.ts'
import { make as makeKey } from './keys/make.ts'
import { revoke } from './keys/revoke.ts'
import { rotate } from './keys/rotate.ts'
import { consolidate } from './memories/consolidate.ts'
import { diff } from './memories/diff.ts'
import { searchBatch } from './memories/search-batch.ts'
import { deletePolicy } from './namespaces/delete-policy.ts'
import { getConsolidation } from './namespaces/get-consolidation.ts'
import { getPolicy } from './namespaces/get-policy.ts'
import { keyHistory } from './namespaces/key-history.ts'
import { putConsolidation } from './namespaces/put-consolidation.ts'
import { putPolicy } from './namespaces/put-policy.ts'
import { offered } from './offered.ts'
import { retryParked } from './persistence/retry-parked.ts'
import { status } from './persistence/status.ts'
import { stopSync } from './persistence/stop-sync.ts'
import { sync } from './persistence/sync.ts'
import { syncRun } from './persistence/sync-run.ts'
import { syncStats } from './persistence/sync-stats.ts'
import { remove as removeSession } from './sessions/delete.ts'
import { deleteStateKey } from './sessions/delete-state.ts'
import { getState } from './sessions/get-state.ts'
import { putStateKey } from './sessions/put-state.ts'
import { docs } from './system/docs.ts'
import { live } from './system/live.ts'
import { metrics } from './system/metrics.ts'
import { openapi } from './system/openapi.ts'
import { ready } from './system/ready.ts'
import { list as listTenants } from './tenants/list.ts'
import { make as makeTenant } from './tenants/make.ts'
import { suspend } from './tenants/suspend.ts'

/** Everything a caller can ask for. Routes, the OpenAPI document and the Lambda functions are derived from it. */
export const operations: readonly AnyOperation<Deps>[] = [
  ...offered,
  ...[consolidate, putConsolidation, getConsolidation],
  ...[diff, searchBatch],
  ...[keyHistory, putPolicy, getPolicy, deletePolicy],
  ...[createEntities, link, entities, entity, merge, unmerge],
  removeSession,
  ...[getState, putStateKey, deleteStateKey],
  ...[getConversation, listConversations, cleanup],
  listAudit,
  ...[status, retryParked, sync, syncRun, stopSync, syncStats],
  ...[putDocument, listDocuments, getDocument, removeDocument, syncDocuments],
  ...[makeKey, listKeys, revoke, rotate],
  ...[makeTenant, listTenants, suspend],
  ...[live, ready, metrics, openapi, docs],
]
