import type { Client } from './client.ts'
import { WIDE } from './fill.ts'
import { byTurns, type Latency, latency } from './measure.ts'
import { questionOf, textOf } from './texts.ts'

/** With the models that come with npm install: texts in, nothing given. */
export interface Modelled {
  store: Latency
  storeParts: Record<string, number>
  search: Latency
  searchParts: Record<string, number>
}

const ROUNDS = 200
const WARM = 10

/** Stores texts that no model has seen, with entities extracted, and asks questions that none has seen. */
export async function modelled(client: Client): Promise<Modelled> {
  const measure = async (ask: (i: number) => Promise<unknown>) => {
    client.parts()
    const { ours } = await byTurns({ ours: ask }, { rounds: ROUNDS, warm: WARM })
    return { all: latency(ours), parts: Object.fromEntries([...client.parts()].map(([part, samples]) => [part, latency(samples).p50])) }
  }
  const store = await measure((i) =>
    client.send('POST', '/v1/memories', JSON.stringify({ namespace: 'user:modelled', content: textOf(2_000_000 + i) })),
  )
  await client.quiet()
  const search = await measure((i) =>
    client.send('POST', '/v1/memories/search', JSON.stringify({ namespace: WIDE, query: questionOf(2_000_000 + i) })),
  )
  return { store: store.all, storeParts: store.parts, search: search.all, searchParts: search.parts }
}
