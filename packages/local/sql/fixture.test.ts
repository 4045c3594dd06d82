import { neon, neonConfig } from '@neondatabase/serverless'
import { expect, test } from 'vitest'
import { testDatabase } from './fixture.ts'

test('a prepared test database is made once and every copy of it stands alone', async () => {
  let prepared = 0
  const preparation = {
    key: 'create table kept',
    async prepare(database: { url: string; fetchEndpoint: string }) {
      prepared++
      neonConfig.fetchEndpoint = database.fetchEndpoint
      await neon(database.url)`create table kept (id int)`
    },
  }
  const first = await testDatabase(preparation)
  const second = await testDatabase(preparation)
  try {
    neonConfig.fetchEndpoint = first.fetchEndpoint
    await neon(first.url)`insert into kept values (1)`
    neonConfig.fetchEndpoint = second.fetchEndpoint
    expect(await neon(second.url)`select * from kept`).toEqual([])
    expect(prepared).toBeLessThanOrEqual(1)
  } finally {
    await first.close()
    await second.close()
  }
}, 30_000)
