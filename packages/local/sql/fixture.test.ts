import { neon, neonConfig } from '@neondatabase/serverless'
import { expect, test } from 'vitest'
import { type Preparation, type TestEndpoint, testDatabase } from './fixture.ts'

const ask = (database: TestEndpoint, query: string) => {
  neonConfig.fetchEndpoint = database.fetchEndpoint
  return neon(database.url).query(query)
}

test('a prepared test database is made once and every copy of it stands alone', async () => {
  const prepared: string[] = []
  const preparation = (key: string, on?: Preparation): Preparation => ({
    key,
    on,
    async prepare({ owner }) {
      prepared.push(key)
      await ask(owner, key)
    },
  })
  const kept = preparation('create table kept (id int)')
  const filled = preparation('insert into kept values (1), (2)', kept)
  const [first, second, full] = [await testDatabase(kept), await testDatabase(kept), await testDatabase(filled)]
  const again = await testDatabase(filled)
  try {
    await ask(first.owner, 'insert into kept values (1)')
    expect(await ask(second.owner, 'select * from kept')).toEqual([])
    await ask(full.owner, 'delete from kept')
    expect(await ask(again.owner, 'select * from kept')).toEqual([{ id: 1 }, { id: 2 }])
    // What an earlier run has made is not made again.
    expect(prepared).toEqual([...new Set(prepared)])
  } finally {
    for (const each of [first, second, full, again]) await each.close()
  }
}, 180_000)
