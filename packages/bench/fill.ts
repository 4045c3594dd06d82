import type { Client } from './client.ts'
import type { Floor } from './floor/floor.ts'
import { timed } from './measure.ts'
import { textOf } from './texts.ts'
import { vectorOf } from './vectors.ts'

/** Where nine of ten memories are; the tenth shows how a part of a large store is searched. */
export const WIDE = 'user:wide'
export const NARROW = 'user:narrow'
export const namespaceOf = (i: number): string => (i % 10 === 0 ? NARROW : WIDE)

/** Half of what a batch may have: a slow machine then answers well before the deadline of a request. */
const BATCH = 250

/** What is remembered for a number: the words and the vector are given, so that no model is waited for. */
export const given = (i: number, namespace = namespaceOf(i)) => ({
  namespace,
  content: textOf(i),
  embedding: vectorOf(i),
  extractEntities: false,
})

export interface Filled {
  /** Seconds that the batches took, and until the graph had them too. */
  storedS: number
  agreedS: number
  floorS: number
}

/** Fills both with the memories from `from` up to, not including, `to`. */
export async function fill(client: Client, floor: Floor, from: number, to: number): Promise<Filled> {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i)
  const floored = await timed(() =>
    floor.fill(numbers.map((i) => ({ namespace: namespaceOf(i), content: textOf(i), vector: vectorOf(i) }))),
  )
  const agreed = await timed(async () => {
    const { ms } = await timed(async () => {
      for (let i = 0; i < numbers.length; i += BATCH) {
        const items = numbers.slice(i, i + BATCH).map((n) => given(n))
        const answer = await client.send('POST', '/v1/memories/batch', JSON.stringify({ items }))
        const failed = answer.items.find((item: { ok: boolean }) => !item.ok)
        if (failed) throw new Error(`a memory of the fill was not stored: ${JSON.stringify(failed)}`)
      }
    })
    await client.quiet()
    return ms
  })
  return { storedS: agreed.value / 1000, agreedS: agreed.ms / 1000, floorS: floored.ms / 1000 }
}
