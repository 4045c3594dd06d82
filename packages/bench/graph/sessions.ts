import { catchUp } from '@twofold/core/graph/catch-up.ts'
import type { GraphPort } from '@twofold/core/graph/port.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { perOperation } from './by-hand.ts'
import { given, givenMany, projections } from './given.ts'
import type { Inside } from './stores.ts'
import { type Counted, counted, type Witness } from './witness.ts'

/** What an operation needs of the graph beside what it needs with a session for each thing it does there. */
export interface Needed {
  operation: string
  was: Counted
  now: Counted
}

const KINDS = ['decision', 'commitment', 'pattern']

export async function needed(inside: Inside, witness: Witness): Promise<Needed[]> {
  const { deps } = inside
  const { id: tenant, client } = await inside.tenant()
  const post = (path: string, body: string) => client.send('POST', path, body)
  const byHand = (memories: number) => counted(witness, () => perOperation(witness.driver, tenant, projections(memories)))
  const writer = async () => {
    const Records = inside.nudged().map((message, i) => ({ messageId: String(i), body: JSON.stringify(message) }) as SQSRecord)
    await graphWrites(deps)({ Records } as SQSEvent)
  }
  const queued = async (store: () => Promise<unknown>) => {
    await store()
    return counted(witness, writer)
  }
  const left = async (store: () => Promise<unknown>) => {
    await store()
    inside.nudged()
    return counted(witness, () => catchUp(deps, tenant, new Date(Date.now() + 10_000)))
  }

  // The first of everything makes labels, types and plans, for which the server begins transactions of its own.
  await post('/v1/memories', given(1, { waitFor: 'graph' }))
  await perOperation(witness.driver, tenant, projections(1))
  for (const [i, kind] of KINDS.entries()) await post('/v1/memories', given(10 + i, { kind, waitFor: 'graph' }))
  const recalling = JSON.stringify({ query: 'What about Person 11?', userId: 'bench', memoryTypes: KINDS })
  await post('/v1/memories/recall', recalling)

  const one = await byHand(1)
  const hundred = await byHand(100)
  const start = await oneOf(deps.graph, tenant)
  return [
    {
      operation: 'remember, two entities, waiting for the graph',
      was: one,
      now: await counted(witness, () => post('/v1/memories', given(100, { waitFor: 'graph' }))),
    },
    { operation: 'remember, two entities, by the queue', was: one, now: await queued(() => post('/v1/memories', given(101))) },
    {
      operation: 'recall over three kinds',
      was: await counted(witness, async () => {
        for (const _ of KINDS) await walk(deps.graph, tenant, start)
      }),
      now: await counted(witness, () => post('/v1/memories/recall', recalling)),
    },
    {
      operation: 'bulk of 100 with two entities each, by the queue',
      was: hundred,
      now: await queued(() => post('/v1/memories/batch', givenMany(1_000, 100))),
    },
    {
      operation: 'bulk of 100 with two entities each, waiting for the graph',
      was: hundred,
      now: await counted(witness, () => post('/v1/memories/batch', givenMany(2_000, 100, { waitFor: 'graph' }))),
    },
    {
      operation: '100 memories that were left owed, caught up',
      was: hundred,
      now: await left(() => post('/v1/memories/batch', givenMany(3_000, 100))),
    },
  ]
}

const EVERYTHING = [{ low: '', high: '\u{10FFFF}' }]

/** The graph asked in a session of its own, as each kind was before. */
const walk = (graph: GraphPort, tenant: string, start: string) =>
  graph.traverse(tenant, { start: [start], ranges: EVERYTHING, via: [], direction: 'both', hops: 1, limit: 50 }, { generations: [1] })

async function oneOf(graph: GraphPort, tenant: string): Promise<string> {
  const held = await graph.held(
    tenant,
    Array.from({ length: 250 }, (_, i) => i),
    { generations: [1] },
  )
  return held[0]?.id as string
}
