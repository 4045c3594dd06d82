import { expect, test } from 'vitest'
import { sqlContract } from './contract.ts'
import { openPostgres } from './postgres.ts'

const url = process.env.TEST_DATABASE_URL as string

sqlContract('native Postgres behind /sql', async () => openPostgres({ url, log: console.error }))

test('more who ask than there are connections wait in line, longer than connecting may take; who has gone is passed over', async () => {
  const backend = openPostgres({ url, most: 2, log: console.error })
  try {
    const gone = new AbortController()
    const all = Array.from({ length: 16 }, () => backend.single({ query: 'select 1 as n from pg_sleep(0.2)', params: [] }))
    const left = backend.single({ query: 'create table left_behind (n int)', params: [] }, gone.signal)
    gone.abort()
    await expect(left).rejects.toThrow()
    expect((await Promise.all(all)).map(({ rows }) => rows.length)).toEqual(all.map(() => 1))
    expect((await backend.single({ query: `select to_regclass('left_behind') as it`, params: [] })).rows).toEqual([[null]])
  } finally {
    await backend.close()
  }
})
