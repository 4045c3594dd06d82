import { afterAll, beforeAll, expect, test } from 'vitest'
import { LENGTHS, soakAll } from './property.ts'
import { inTables, type Place } from './stores.ts'

let place: Place
beforeAll(async () => {
  place = await inTables()
})
afterAll(() => place.close())

test('2,000 random operations under random faults leave both stores as a plain model has them', async () => {
  expect(await soakAll([place], { seed: 1001, length: LENGTHS.short, wanted: 2 })).toBeNull()
}, 600_000)
