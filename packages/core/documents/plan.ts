import type { Chunk } from './chunks.ts'

/** How many chunks one statement list makes or labels at most. */
export const STEP = 500

/** A chunk as it is there. */
export interface Placed {
  memoryId: string
  position: number
  hash: string
  label: string
}

export interface Plan {
  /** Memories that the document does not hold any more. */
  out: string[]
  /** Chunks to make. */
  place: Chunk[]
  /** Memories whose metadata is the document's former. */
  label: string[]
  /** Memories that stand elsewhere now. */
  moved: { memoryId: string; position: number }[]
}

/** What it takes to get from the chunks that are there to those that should be. One that says the same is the same. */
export function planOf(chunks: readonly Chunk[], placed: readonly Placed[], label: string): Plan {
  const known = new Map(placed.map((chunk) => [chunk.hash, chunk]))
  const plan: Plan = { out: [], place: [], label: [], moved: [] }
  for (const chunk of chunks) {
    const there = known.get(chunk.hash)
    known.delete(chunk.hash)
    if (!there) plan.place.push(chunk)
    else {
      if (there.position !== chunk.position) plan.moved.push({ memoryId: there.memoryId, position: chunk.position })
      if (there.label !== label) plan.label.push(there.memoryId)
    }
  }
  plan.out = [...known.values()].map(({ memoryId }) => memoryId)
  return plan
}

/** As much of it as goes into one list of `most`, and how much is left then. What is replaced goes at once, so that no search shows both. */
export function stepOf(plan: Plan, most = STEP): { step: Plan; left: number } {
  const place = plan.place.slice(0, most)
  const label = plan.label.slice(0, most - place.length)
  return { step: { ...plan, place, label }, left: plan.place.length - place.length + plan.label.length - label.length }
}
