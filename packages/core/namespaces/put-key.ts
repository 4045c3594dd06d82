import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { selectAnswers } from '../memories/answer.ts'
import { redraft } from '../memories/draft.ts'
import { Key } from '../memories/fields.ts'
import { type Changes, RememberInput } from '../memories/input.ts'
import type { Memory, Remembered } from '../memories/memory.ts'
import { remember, type Written } from '../memories/remember.ts'
import { revise } from '../memories/update.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { contentOf } from '../text/indexed.ts'
import { holder } from './holder.sql.ts'
import { Namespace } from './namespace.ts'

const { id: _, userId: __, onGraphFailure: ___, ...settable } = RememberInput.shape

export const PutKey = z
  .strictObject({ ...settable, namespace: Namespace, key: Key })
  .refine(({ content, value }) => content !== undefined || (value !== undefined && value !== null), {
    path: ['value'],
    message: 'is required, or content in its place',
  })
  .meta({ id: 'PutKey' })
export type PutKey = z.infer<typeof PutKey>

/**
 * Sets a key to what is given and nothing else: what is not named has its default, as in a new memory. A key that no memory
 * ever had makes version 1; any other the next version of the memory that has it or had it last, so that its history goes
 * on. Of those who set it at once each makes a version. Refuses `version_mismatch`, `forbidden`, and all that `remember` does.
 */
export async function putKey(deps: Deps, caller: Caller, input: PutKey): Promise<Written<Remembered>> {
  const { id, ranges, missing } = holder(input)
  return revise(deps, caller, selectAnswers(sql`m.id = ${id} and visible(m.namespace)`), {
    action: 'memories.update',
    ranges,
    waits: input.waitFor === 'graph',
    next: (memory, at) => redraft(deps, memory, replacing(memory, input), at, {}),
    async make() {
      if (caller.ifMatch !== null) throw new Refusal('version_mismatch', `${missing} It is at no version.`, { currentVersion: null })
      return remember(deps, caller, input)
    },
  })
}

/** All that a caller may set, so that nothing of the former version stays. What was found in the same text is not looked for again. */
function replacing(memory: Memory, { namespace, ...input }: PutKey): Changes {
  const content = input.content ?? contentOf(input.value ?? null)
  const rewritten = content !== memory.content
  const mentions = rewritten ? [] : undefined
  return {
    ...{ type: 'semantic' as const, kind: 'note', importance: 5, summary: null, metadata: {}, tags: [], value: null, expiresAt: null },
    ...{ conversationId: null, sessionId: null, taskId: null, speaker: null, occurredAt: memory.createdAt },
    ...{ entities: mentions, relations: mentions, extractEntities: rewritten || input.entities !== undefined },
    ...input,
    content,
  }
}
