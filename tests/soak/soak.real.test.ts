import { expect, test } from 'vitest'
import { LENGTHS, soakAll } from './property.ts'
import { inNeo4j, inTables, type Place } from './stores.ts'

/** More than one at a time, so that whoever waits for a store does not hold up the others. */
const LANES = 3

test.each<[string, () => Promise<Place>, number, number]>([
  ['tables', inTables, 1, 15],
  ['Neo4j', inNeo4j, 16, 5],
])(
  'random operations under random faults leave Postgres and %s as a plain model has them',
  async (_, open, seed, wanted) => {
    const places = await Promise.all(Array.from({ length: LANES }, open))
    try {
      expect(await soakAll(places, { seed, length: LENGTHS.short, wanted })).toBeNull()
    } finally {
      for (const place of places) await place.close()
    }
  },
  1_200_000,
)
