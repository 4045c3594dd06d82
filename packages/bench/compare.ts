import type { Client } from './client.ts'
import { given, NARROW, WIDE } from './fill.ts'
import type { Floor } from './floor/floor.ts'
import { type Ask, byTurns, type Latency, latency, type Turns, throughput } from './measure.ts'
import { nearest, recallOf } from './nearest.ts'
import { questionOf } from './texts.ts'
import { vectorOf } from './vectors.ts'

/** The service beside the bare SQL, asked by turns in one run. */
export interface Beside {
  floor: Latency
  ours: Latency
  /** Of ours: the median of each part that `Server-Timing` named. */
  parts: Record<string, number>
}

export interface Found extends Beside {
  /** How many of the ten truly nearest were among the ten found, of 1. */
  recall: { floor: number; ours: number }
}

export interface Compared {
  store: Beside
  writers: { floor: number; ours: number }
  get: Beside
  search: { vector: Found; hybrid: Beside; narrow: Found }
}

const ROUNDS = 300
const WARM = 20
const WRITERS = 16
/** Asked for their recall, which takes the exact answer over everything. */
const CHECKED = 50

/** What is stored meanwhile is in a place of its own, so that the searches' truth stays what was filled. */
const STORED = 'user:stored'

const beside = async (client: Client, asks: { floor: Ask; ours: Ask }, turns: Partial<Turns> = {}): Promise<Beside> => {
  client.parts()
  const { floor, ours } = await byTurns(asks, { rounds: ROUNDS, warm: WARM, ...turns })
  const parts = Object.fromEntries([...client.parts()].map(([part, samples]) => [part, latency(samples).p50]))
  return { floor: latency(floor), ours: latency(ours), parts }
}

/** Numbers of queries and of stores: of neither kind is any memory that a fill made. */
const asking = (i: number) => 10_000_000 + i
const storing = (size: number, i: number) => 1_000_000 + size * 10 + i

/** All that is measured at one size. */
export async function compare(client: Client, floor: Floor, size: number): Promise<Compared> {
  const vectors = Array.from({ length: ROUNDS + WARM }, (_, i) => vectorOf(asking(i)))
  const search = {
    vector: await found(client, floor, WIDE, vectors, size),
    hybrid: await beside(
      client,
      searches(client, floor, WIDE, vectors, (i) => ({ query: questionOf(i) })),
    ),
    narrow: await found(client, floor, NARROW, vectors, size),
  }
  const stored = await stores(client, floor, size)
  const gets = {
    floor: (i: number) => floor.get(stored.ids.floor[i % stored.ids.floor.length] as string),
    ours: (i: number) => client.send('GET', `/v1/memories/${stored.ids.ours[i % stored.ids.ours.length]}`),
  }
  return { store: stored.store, writers: stored.writers, get: await beside(client, gets), search }
}

function searches(client: Client, floor: Floor, namespace: string, vectors: readonly number[][], more: (i: number) => object) {
  const bodies = vectors.map((embedding, i) => JSON.stringify({ namespace, embedding, ...more(i) }))
  return {
    floor: (i: number) => floor.search(namespace, vectors[i] as number[]),
    ours: (i: number) => client.send('POST', '/v1/memories/search', bodies[i]),
  }
}

async function found(client: Client, floor: Floor, namespace: string, vectors: readonly number[][], size: number): Promise<Found> {
  const asks = searches(client, floor, namespace, vectors, () => ({ mode: 'vector' }))
  const measured = await beside(client, asks)
  const recalled = { floor: 0, ours: 0 }
  for (let i = 0; i < CHECKED; i++) {
    const truth = nearest(vectors[i] as number[], namespace, size)
    recalled.floor += recallOf(truth, await asks.floor(i)) / CHECKED
    const { results } = await asks.ours(i)
    recalled.ours +=
      recallOf(
        truth,
        results.map((result: { memory: { content: string } }) => result.memory.content),
      ) / CHECKED
  }
  return { ...measured, recall: recalled }
}

async function stores(client: Client, floor: Floor, size: number) {
  const total = ROUNDS + WARM + WRITERS * 20
  const drafts = Array.from({ length: total }, (_, i) => given(storing(size, i), STORED))
  const bodies = drafts.map((draft) => JSON.stringify(draft))
  const ids = { floor: [] as string[], ours: [] as string[] }
  const asks = {
    floor: async (i: number) => {
      const { content, embedding } = drafts[i] as (typeof drafts)[number]
      ids.floor.push(await floor.insert(STORED, content, embedding))
    },
    ours: async (i: number) => {
      ids.ours.push((await client.send('POST', '/v1/memories', bodies[i])).memory.id)
    },
  }
  // In blocks, each begun when the graph has what the one before wrote: what ours does after its answer is not to slow the floor.
  const store = await beside(client, asks, { block: 40, rest: client.quiet })
  const many = (ask: Ask) => throughput((i) => ask(ROUNDS + WARM + i), WRITERS * 20, WRITERS)
  await client.quiet()
  const writers = { floor: await many(asks.floor), ours: await many(asks.ours) }
  await client.quiet()
  return { store, writers, ids }
}
