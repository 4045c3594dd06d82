import { createEntity } from '@twofold/core/entities/create.ts'
import type { SubjectEntity } from '@twofold/core/entities/explicit.ts'
import { linkNodes } from '@twofold/core/entities/link.ts'
import { forget } from '@twofold/core/memories/forget.ts'
import { remember } from '@twofold/core/memories/remember.ts'
import { type Item, rememberBatch } from '@twofold/core/memories/remember-batch.ts'
import { restore } from '@twofold/core/memories/restore.ts'
import { update } from '@twofold/core/memories/update.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { endSession } from '@twofold/core/sessions/end.ts'
import { startSession } from '@twofold/core/sessions/start.ts'
import type { Caller } from '@twofold/operation/caller.ts'
import type { Outcome } from './model.ts'
import type { Request } from './requests.ts'

/** Answers `ok`, or `again` for what was answered before; what is refused is thrown. */
export async function send(deps: Deps, caller: Caller, request: Request): Promise<Outcome> {
  const { replayed } = await ask(deps, caller, request)
  return replayed ? 'again' : 'ok'
}

function ask(deps: Deps, caller: Caller, request: Request): Promise<{ replayed: boolean }> {
  switch (request.verb) {
    case 'remember':
      return remember(deps, caller, request.input)
    case 'batch': {
      const items = request.items.map((input): Item => ({ ok: true, input }))
      return rememberBatch(deps, caller, items, request.atomic)
    }
    case 'update':
      return update(deps, caller, request.id, request.changes)
    case 'restore':
      return restore(deps, caller, request.id, request.version ?? undefined)
    case 'forget':
      return forget(deps, caller, request.id, { hard: request.hard, cascadeGraph: request.cascade })
    case 'entity':
      return createEntity(deps, caller, { entities: [{ ...request.name, subject: request.subject }] })
    case 'link': {
      const [from, to] = [request.from, request.to].map((name) => ({ ...name, subject: request.subject })) as [SubjectEntity, SubjectEntity]
      const links = [{ from, type: 'near', to, properties: { confidence: request.confidence } }]
      return linkNodes(deps, caller, { links, ...(request.wait ? { waitFor: 'graph' } : {}) })
    }
    case 'start':
      return startSession(deps, caller, {
        id: request.session,
        appName: 'soak',
        ...(request.user === null ? {} : { userId: request.user }),
      })
    case 'end':
      return endSession(deps, caller, request.session)
  }
}
