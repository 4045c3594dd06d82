import { RememberInput } from '@twofold/core/memories/input.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { type Item, rememberBatch } from '@twofold/core/memories/remember-batch.ts'
import { answer, MIB } from '@twofold/operation/operation.ts'
import { parseInput } from '@twofold/operation/read-input.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'
import { ItemError, itemError } from './item-error.ts'

/** In a batch each item stands for itself, so a write that takes the others back has no meaning. */
const BatchItem = RememberInput.refine((item) => item.onGraphFailure !== 'rollback', {
  path: ['onGraphFailure'],
  message: 'cannot be rollback in a batch',
})

export const addBatch = operation({
  name: 'memories.add_batch',
  method: 'post',
  path: '/v1/memories/batch',
  scope: 'memories:write',
  summary: 'Remember up to 500 things, each with its own answer, or (atomic) all or none.',
  mcp: 'add_memories',
  // Items are parsed one by one: a bad one is answered in its place and does not spoil the others.
  input: z.strictObject({
    items: z
      .array(z.unknown().meta({ $ref: '#/components/schemas/RememberInput' }))
      .min(1)
      .max(500),
    atomic: z.boolean().default(false),
  }),
  output: z.object({ items: z.array(z.union([Remembered.extend({ ok: z.literal(true) }), ItemError])) }),
  maxBytes: 4 * MIB,
  example: {
    items: [
      { userId: 'alice', content: 'Prefers tea.' },
      { userId: 'alice', content: 'Works at Acme.' },
    ],
  },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const items = input.items.map(parse)
    const result = await rememberBatch(deps, caller, items, input.atomic)
    const outcomes = result.items.map((item) => (item.ok ? { ok: true as const, ...item.answer } : itemError(item.refusal)))
    return answer({ items: outcomes }, { replayed: result.replayed })
  },
})

function parse(item: unknown): Item {
  try {
    return { ok: true, input: parseInput(BatchItem, item as Record<string, unknown>) }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, refusal: error }
    throw error
  }
}

export const handler = lambda(addBatch)
