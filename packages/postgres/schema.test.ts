import { raw } from '@twofold/core/sql.ts'
import { type TestDatabase, testDatabase } from '@twofold/local/sql/fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from './migrate.ts'
import { asOwner } from './owner.ts'
import { dumpSchema } from './schema.ts'

const databases: TestDatabase[] = []
const migrated = async (): Promise<TestDatabase> => {
  const database = await testDatabase()
  databases.push(database)
  await migrate({ ownerUrl: database.owner.url, fetchEndpoint: database.owner.fetchEndpoint })
  return database
}

let database: TestDatabase
beforeAll(async () => {
  database = await migrated()
})
afterAll(() => Promise.all(databases.map((each) => each.close())))

test('the same migrations give the same text in another database', async () => {
  expect(await dumpSchema((await migrated()).owner)).toBe(await dumpSchema(database.owner))
})

test.each([
  ['a column', 'alter table twofold.tenants add column note text', /note text/],
  ['a default', "alter table twofold.tenants alter note set default 'x'", /note text default 'x'::text/],
  [
    'a generated column',
    'alter table twofold.tenants add twice int generated always as (graph_epoch * 2) stored',
    /twice integer generated always as/,
  ],
  ['a collation', 'alter table twofold.tenants alter note type text collate "C"', /note text collate "C"/],
  ['a constraint', 'alter table twofold.tenants add constraint positive check (graph_epoch > 0)', /constraint positive CHECK/],
  ['an index', 'create index tenants_by_note on twofold.tenants (note) where note is not null', /CREATE INDEX tenants_by_note .* WHERE/],
  ['a function', 'create function twofold.one() returns int language sql as $$ select 1 $$', /FUNCTION twofold\.one\(\)[\s\S]*select 1 /],
  [
    'a view',
    'create view twofold.seen with (security_invoker = true) as select id from twofold.tenants',
    /create view twofold\.seen with \(security_invoker=true\)/,
  ],
  [
    'row-level security',
    'alter table twofold.migrations enable row level security',
    /alter table twofold\.migrations enable row level security/,
  ],
  [
    'a policy',
    'create policy few on twofold.migrations to twofold_app using (number > 1)',
    /create policy few on twofold\.migrations for all to twofold_app\n {2}using \(number > 1\)/,
  ],
  ['a grant', 'grant select on twofold.migrations to twofold_app', /grant select on twofold\.migrations to twofold_app/],
  [
    'a grant of columns',
    'grant update (note, name) on twofold.tenants to twofold_app',
    /grant update \(name, note\) on twofold\.tenants to twofold_app/,
  ],
  ['a revoked function', 'revoke execute on function twofold.one() from public', /revoke execute on function twofold\.one\(\) from public/],
  [
    'a granted function',
    'grant execute on function twofold.one() to twofold_app',
    /grant execute on function twofold\.one\(\) to twofold_app/,
  ],
])('%s shows', async (_, statement, shown) => {
  expect(await dumpSchema(database.owner)).not.toMatch(shown)
  await asOwner(database.owner)([raw(statement)])
  expect(await dumpSchema(database.owner)).toMatch(shown)
})
