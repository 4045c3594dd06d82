import { testDatabase } from '@twofold/local/sql/fixture.ts'
import { expect, test } from 'vitest'
import { migrate, readMigrations } from './migrate.ts'

/** What a store of an older version held is still there, and in its place. */

test('state that each session had of its own is shared from then on, the latest of each key', { timeout: 120_000 }, async () => {
  const database = await testDatabase()
  const upTo = async (number?: number) =>
    migrate({
      ownerUrl: database.owner.url,
      fetchEndpoint: database.owner.fetchEndpoint,
      migrations: (await readMigrations()).slice(0, number),
    })
  try {
    await upTo(11)
    await database.sql(`insert into twofold.tenants (uuid, name, created_at) values (gen_random_uuid(), 'x', now())`)
    await database.sql(`insert into twofold.sessions (tenant_id, id, name, namespace, app_name, user_id, status, state, metadata, created_at, updated_at)
      select 1, gen_random_uuid(), name, case when who is null then 'session:' || name else 'user:' || who end, 'app', who, 'created', state::jsonb, '{}', now(), at::timestamptz
      from (values ('a', 'alice', '{"user:x": 2, "user:y": 1, "app:z": 1, "own": 1}', '2026-01-02'), ('b', 'alice', '{"user:x": 1, "temp:t": 1}', '2026-01-01'),
        ('c', null, '{"user:x": 3, "app:z": 2}', '2026-01-03')) s (name, who, state, at)`)
    await upTo()
    expect(await database.sql('select namespace, state::text as state from twofold.shared_state order by 1')).toEqual([
      { namespace: 'app:app', state: '{"app:z": 2}' },
      { namespace: 'user:alice', state: '{"user:x": 2, "user:y": 1}' },
    ])
    expect(await database.sql('select name, state::text as state from twofold.sessions order by 1')).toEqual([
      { name: 'a', state: '{"own": 1}' },
      { name: 'b', state: '{"temp:t": 1}' },
      { name: 'c', state: '{}' },
    ])
  } finally {
    await database.close()
  }
})
