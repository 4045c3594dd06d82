import { asRefusal } from '@twofold/core/failures.ts'
import { RememberInput } from '@twofold/core/memories/input.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { lambdaHandler } from '@twofold/operation/http.ts'
import { operation } from '@twofold/operation/operation.ts'
import { logger } from '@twofold/telemetry/log.ts'
import { prometheus } from '@twofold/telemetry/prometheus.ts'

/** A memory as it is answered; with nothing behind it, what is left is the operation layer. */
const at = '2026-03-01T12:00:00.000Z'
const shown = { state: 'written' as const, version: 1, at }
const remembered: Remembered = {
  memory: {
    ...{ id: '0195a0a0-0000-7000-8000-000000000000', namespace: 'user:alice', key: null, type: 'semantic', kind: 'note' },
    ...{ content: 'Met John Smith from Acme in Berlin about the launch.', value: null, summary: null, importance: 5 },
    ...{ metadata: {}, tags: [], entities: [], relations: [], conversationId: null, sessionId: null, taskId: null, speaker: null },
    ...{ occurredAt: at, expiresAt: null, version: 1, createdBy: 'key', updatedBy: 'key', createdAt: at, updatedAt: at, deletedAt: null },
  },
  receipt: {
    vectorWriteSuccess: true,
    graphWriteSuccess: true,
    stores: { vector: shown, graph: shown, cache: { state: 'written' } },
    owed: [],
  },
}

const add = operation({
  name: 'memories.add',
  method: 'post',
  path: '/v1/memories',
  scope: 'memories:write',
  summary: 'Remember one thing, and nowhere.',
  input: RememberInput,
  output: Remembered,
  status: 201,
  etag: ({ memory }) => memory.version,
  handle: () => remembered,
})

const { observe } = prometheus({ processes: true })
const log = logger({ level: 'warn', now: () => new Date() })

export const handler = lambdaHandler(add, { deps: () => null, asRefusal, log, observe })
