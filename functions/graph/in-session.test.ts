import { completeCommitment } from '@twofold/core/commitments/complete.ts'
import { createCommitment } from '@twofold/core/commitments/create.ts'
import { getCommitments } from '@twofold/core/commitments/list.ts'
import { getDecisions } from '@twofold/core/decisions/list.ts'
import { recordDecision } from '@twofold/core/decisions/record.ts'
import { getEntityContext } from '@twofold/core/entities/context.ts'
import { createEntity } from '@twofold/core/entities/create.ts'
import { linkNodes } from '@twofold/core/entities/link.ts'
import { findRelated, RelatedQuery } from '@twofold/core/entities/related.ts'
import type { GraphSession } from '@twofold/core/graph/port.ts'
import { GraphQuery, queryGraph } from '@twofold/core/graph/query.ts'
import { recall, recallKinds } from '@twofold/core/memories/recall.ts'
import { remember } from '@twofold/core/memories/remember.ts'
import { SearchQuery } from '@twofold/core/memories/search.ts'
import { getPatterns } from '@twofold/core/patterns/list.ts'
import { recordPattern } from '@twofold/core/patterns/record.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { endSession } from '@twofold/core/sessions/end.ts'
import { startSession } from '@twofold/core/sessions/start.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

/** The operations of the graph as parts of a program that has a graph session already. */

let here: World
let tenant: Tenant
let caller: Caller
let deps: Deps
/** Sessions that were opened at the port, and calls that were made outside of any. */
let seen: { opened: number; outside: number }
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  caller = {
    ...{ keyHash: hashKey(tenant.key), scope: null, operation: 'test', requestId: 'request-1', onBehalfOf: null, idempotency: null },
    ...{ requestHash: Buffer.alloc(32), ifMatch: null, timings: new Timings(), signal: new AbortController().signal },
  }
  seen = { opened: 0, outside: 0 }
  const { graph } = here.deps
  deps = {
    ...here.deps,
    graph: {
      ...graph,
      apply(...args) {
        if (!args[2].session) seen.outside++
        return graph.apply(...args)
      },
      traverse(...args) {
        if (!args[2].session) seen.outside++
        return graph.traverse(...args)
      },
      session(...args) {
        seen.opened++
        return graph.session(...args)
      },
    },
  }
})

const place = { userId: 'alice', extractEntities: false } as const
const page = { namespacePrefix: 'user:alice', limit: 50, after: null }
const named = (type: string, value: string) => ({ type, value, subject: 'user:alice' })
const ada = named('person', 'Ada')
const about = [{ type: 'person', value: 'Ada' }]
const counts = () => here.deps.graph.counts(tenant.id, { generations: [1] })
const owed = async () => (await tenant.get('/api/persistence/status')).json.metrics.owedGraphWrites

/** Everything that writes; answers an entity's id and a commitment's. */
async function writeAll(session: GraphSession): Promise<{ entity: string; commitment: string }> {
  const it = { session }
  await startSession(deps, caller, { id: 'today', appName: 'test', userId: 'alice' }, it)
  const { answer } = await createEntity(deps, caller, { entities: [ada] }, it)
  await linkNodes(deps, caller, { links: [{ from: ada, type: 'works_at', to: named('organization', 'Acme') }] }, it)
  await remember(deps, caller, { ...place, content: 'Ada sleeps', entities: about, sessionId: 'today' }, it)
  await recordDecision(deps, caller, { ...place, title: 'Ask Ada', rationale: 'She knows', about }, it)
  await recordPattern(deps, caller, { ...place, name: 'Tea', description: 'At five' }, it)
  const promised = await createCommitment(deps, caller, { ...place, title: 'Call Ada', owner: 'me', about }, it)
  return { entity: answer.entities[0]?.id as string, commitment: promised.answer.memory.id }
}

test('in one that is used again each write is shown before it answers, each read is part of it, and no other is opened', async () => {
  const answers = await deps.graph.session('reuse', async (session) => {
    const it = { session }
    const { entity, commitment } = await writeAll(session)
    expect(await counts()).toEqual({ memories: 4, entities: 2, sessions: 1, edges: 7 })
    const related = await findRelated(deps, caller, RelatedQuery.parse({ id: entity }), it)
    const context = await getEntityContext(deps, caller, { id: entity, limit: 10 }, it)
    const completed = await completeCommitment(deps, caller, commitment, undefined, it)
    const found = await queryGraph(deps, caller, GraphQuery.parse({ start: { type: 'person', value: 'Ada' }, hops: 2 }), it)
    const recalled = await recallKinds(deps, caller, { query: 'ask ada', memoryTypes: ['decision'], userId: 'alice', limit: 5 }, it)
    await recall(deps, caller, SearchQuery.parse({ userId: 'alice', query: 'ada', expand: { hops: 2 } }), it)
    const ended = await endSession(deps, caller, 'today', it)
    return { related, context, completed, found, recalled, ended }
  })
  expect(answers.related.items.map((e) => e.value)).toEqual(['Acme'])
  expect(answers.context.commitments.map((m) => m.title)).toEqual(['Call Ada'])
  expect(answers.completed.answer).toMatchObject({ memory: { status: 'completed' }, receipt: { graphWriteSuccess: true } })
  expect(new Set(answers.found.nodes.map((node) => node.kind))).toEqual(new Set(['entity', 'memory', 'session']))
  expect(answers.recalled.results.map((r) => r.memory.title)).toEqual(['Ask Ada'])
  expect(answers.ended.answer.session.status).toBe('terminated')
  const lists = [await getDecisions(deps, caller, page), await getPatterns(deps, caller, page), await getCommitments(deps, caller, page)]
  expect(lists.map(({ items }) => items.length)).toEqual([1, 1, 1])
  expect([seen, await owed()]).toEqual([{ opened: 1, outside: 0 }, 0])
})

describe('in an atomic one', () => {
  test('the graph shows all of it or nothing, and its own reads see what it wrote', async () => {
    await deps.graph.session('atomic', async (session) => {
      const { entity } = await writeAll(session)
      expect(await counts()).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      const related = await findRelated(deps, caller, RelatedQuery.parse({ id: entity }), { session })
      expect(related.items.map((e) => e.value)).toEqual(['Acme'])
    })
    expect(await counts()).toEqual({ memories: 4, entities: 2, sessions: 1, edges: 7 })
    expect([seen, await owed()]).toEqual([{ opened: 1, outside: 0 }, 0])
  })

  test('that is thrown away takes nothing from the truth: what was written stays owed, and the relay shows it', async () => {
    const thrown = deps.graph.session('atomic', async (session) => {
      await writeAll(session)
      throw new Error('changed my mind')
    })
    await expect(thrown).rejects.toThrow('changed my mind')
    expect(await counts()).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
    expect(await owed()).toBe(7)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect(await counts()).toEqual({ memories: 4, entities: 2, sessions: 1, edges: 7 })
  })

  test('a receipt says owed, since nothing is shown before the end', async () => {
    const { answer } = await deps.graph.session('atomic', (session) =>
      recordDecision(deps, caller, { ...place, title: 'x', rationale: 'y' }, { session }),
    )
    expect(answer.receipt.stores.graph.state).toBe('owed')
    expect((await tenant.get(`/v1/memories/${answer.memory.id}`)).json.receipt.stores.graph.state).toBe('written')
  })
})

test('with none a memory with two entities that waits for the graph opens one, and one that does not opens none', async () => {
  const entities = ['Ada', 'Bert'].map((value) => ({ type: 'person', value }))
  await remember(deps, caller, { ...place, content: 'one', entities, waitFor: 'graph' })
  expect(seen).toEqual({ opened: 1, outside: 0 })
  await remember(deps, caller, { ...place, content: 'two', entities })
  await recordDecision(deps, caller, { ...place, title: 'x', rationale: 'y' })
  expect(seen).toEqual({ opened: 1, outside: 0 })
})
