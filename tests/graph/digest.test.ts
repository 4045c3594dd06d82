import { randomUUID } from 'node:crypto'
import { digest } from '@twofold/core/graph/digest.ts'
import type { Shown } from '@twofold/core/graph/port.ts'
import { entity, memory, uuid } from '@twofold/graph/contract/scene.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { digestInSql } from './digests.ts'
import { makeTenant } from './world.ts'

let database: MigratedDatabase
beforeAll(async () => {
  database = await migratedDatabase()
})
afterAll(() => database.close())

const things: Shown[] = [
  entity(uuid(1), 'Ada'),
  entity(uuid(2), '🎉 "quoted" \\ back\nline é 👩‍👩‍👧', { labels: ['Decision', '\u{1F389}', '\uFFFD', 'z'], subject: 'user:שלום' }),
  memory(uuid(3), [uuid(1), uuid(2)], {
    relations: [
      [uuid(1), 'works_at', uuid(2)],
      [uuid(1), '🎉', uuid(2)],
      [uuid(1), '\uFFFD', uuid(2)],
    ],
    namespace: 'user:ada:wörk',
  }),
  entity(uuid(4), '', {
    properties: { importance: 7.3, version: 123456789, small: 1e-7, large: 1e21, third: 1 / 3, yes: true, no: false, zero: 0 },
  }),
]

test.each(things.map((thing, i) => [i, thing] as const))('the digest of thing %i is the same in SQL', async (_, thing) => {
  const { tenant } = await makeTenant(database.db, randomUUID())
  const [[row]] = await database.db.asTenant(tenant, [digestInSql(thing)])
  expect([row?.high, row?.low]).toEqual(digest(thing))
})
