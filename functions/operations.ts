import type { Deps } from '@twofold/core/ports.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { complete } from './commitments/complete.ts'
import { create as createCommitment } from './commitments/create.ts'
import { list as listCommitments } from './commitments/list.ts'
import { list as listDecisions } from './decisions/list.ts'
import { record as recordDecision } from './decisions/record.ts'
import { context } from './graph/context.ts'
import { createEntities } from './graph/create-entities.ts'
import { entities } from './graph/entities.ts'
import { entity } from './graph/entity.ts'
import { link } from './graph/link-nodes.ts'
import { query } from './graph/query.ts'
import { related } from './graph/related.ts'
import { list as listKeys } from './keys/list.ts'
import { make as makeKey } from './keys/make.ts'
import { revoke } from './keys/revoke.ts'
import { rotate } from './keys/rotate.ts'
import { add } from './memories/add.ts'
import { addBatch } from './memories/add-batch.ts'
import { remove } from './memories/delete.ts'
import { diff } from './memories/diff.ts'
import { get } from './memories/get.ts'
import { history } from './memories/history.ts'
import { list } from './memories/list.ts'
import { recall } from './memories/recall.ts'
import { restore } from './memories/restore.ts'
import { search } from './memories/search.ts'
import { update } from './memories/update.ts'
import { list as listPatterns } from './patterns/list.ts'
import { record as recordPattern } from './patterns/record.ts'
import { retryParked } from './persistence/retry-parked.ts'
import { status } from './persistence/status.ts'
import { stopSync } from './persistence/stop-sync.ts'
import { sync } from './persistence/sync.ts'
import { syncRun } from './persistence/sync-run.ts'
import { syncStats } from './persistence/sync-stats.ts'
import { end as endSession } from './sessions/end.ts'
import { get as getSession } from './sessions/get.ts'
import { start as startSession } from './sessions/start.ts'
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
  ...[add, addBatch, list, get, update, remove, restore, history, diff, search, recall],
  ...[recordDecision, listDecisions, createCommitment, listCommitments, complete, recordPattern, listPatterns],
  ...[createEntities, link, query, entities, entity, context, related],
  ...[startSession, getSession, endSession],
  ...[status, retryParked, sync, syncRun, stopSync, syncStats],
  ...[makeKey, listKeys, revoke, rotate],
  ...[makeTenant, listTenants, suspend],
  ...[live, ready, metrics, openapi, docs],
]
