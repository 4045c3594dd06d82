import type { Deps } from '@twofold/core/ports.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { complete } from './commitments/complete.ts'
import { create as createCommitment } from './commitments/create.ts'
import { list as listCommitments } from './commitments/list.ts'
import { reopen } from './commitments/reopen.ts'
import { addTurn } from './conversations/add-turn.ts'
import { clear } from './conversations/clear.ts'
import { context as conversationContext } from './conversations/context.ts'
import { list as listDecisions } from './decisions/list.ts'
import { record as recordDecision } from './decisions/record.ts'
import { context } from './graph/entity-context.ts'
import { paths } from './graph/paths.ts'
import { query } from './graph/query.ts'
import { related } from './graph/related.ts'
import { add } from './memories/add.ts'
import { addBatch } from './memories/add-batch.ts'
import { context as promptContext } from './memories/context.ts'
import { remove } from './memories/delete.ts'
import { removeAll } from './memories/delete-all.ts'
import { fromMessages } from './memories/from-messages.ts'
import { get } from './memories/get.ts'
import { history } from './memories/history.ts'
import { list } from './memories/list.ts'
import { recall } from './memories/recall.ts'
import { restore } from './memories/restore.ts'
import { search } from './memories/search.ts'
import { update } from './memories/update.ts'
import { deleteKey } from './namespaces/delete-key.ts'
import { getKey } from './namespaces/get-key.ts'
import { list as listNamespaces } from './namespaces/list.ts'
import { putKey } from './namespaces/put-key.ts'
import { list as listPatterns } from './patterns/list.ts'
import { record as recordPattern } from './patterns/record.ts'
import { append as appendEvent } from './sessions/append-event.ts'
import { end as endSession } from './sessions/end.ts'
import { events as listEvents } from './sessions/events.ts'
import { get as getSession } from './sessions/get.ts'
import { list as listSessions } from './sessions/list.ts'
import { start as startSession } from './sessions/start.ts'
import { updateStatus } from './sessions/update-status.ts'

/** What models are offered: every operation that is a tool, or that a resource is read by. MCP is one function, and holds these alone. */
export const offered: readonly AnyOperation<Deps>[] = [
  fromMessages,
  ...[add, addBatch, list, get, update, remove, removeAll, restore, history, search, recall, promptContext],
  ...[putKey, getKey, deleteKey, listNamespaces],
  ...[recordDecision, listDecisions, createCommitment, listCommitments, complete, reopen, recordPattern, listPatterns],
  ...[query, paths, context, related],
  ...[startSession, getSession, listSessions, appendEvent, listEvents, updateStatus, endSession],
  ...[addTurn, conversationContext, clear],
]
