import { terms } from '@twofold/core/text/words.ts'
import { type Tenant, type World, world } from '@twofold/functions/fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'

let w: World
let tenant: Tenant
beforeAll(async () => {
  w = await world()
  tenant = await w.tenant()
})
afterAll(() => w.close())

/** So many more memories that say the word once in a long text: only their postings, which is all that choosing candidates reads. */
const saidBy = (word: string, memories: number) =>
  w.owner(
    `insert into twofold.postings (tenant_id, term, subject, row, count, length)
    select id, $2::int, twofold.subject_number('user:alice'), 1000000 + i, 1, 1000 from twofold.tenants, generate_series(1, $3::int) i where uuid = $1::uuid`,
    [tenant.id, terms(word)[0]?.term as number, memories],
  )

test('a word that tens of thousands say brings no candidates beside a rare one, and brings them alone', async () => {
  const said = async (content: string) => (await tenant.add({ content, extractEntities: false })).id
  const rare = await said('zebrafinch zebrafinch')
  const both = await said('zebrafinch breakfast')
  const common = await said('breakfast breakfast')
  await saidBy('zebrafinch', 200)
  expect(new Set(await tenant.found({ query: 'zebrafinch breakfast', mode: 'text' }))).toEqual(new Set([rare, both, common]))
  await saidBy('breakfast', 21_000)
  expect(new Set(await tenant.found({ query: 'zebrafinch breakfast', mode: 'text' }))).toEqual(new Set([rare, both]))
  expect(await tenant.found({ query: 'breakfast', mode: 'text' })).toEqual([common, both])
})
