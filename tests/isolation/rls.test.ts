import { raw, sql } from '@twofold/core/sql.ts'
import { type Tenant, type World, world } from '@twofold/functions/fixture.ts'
import { ROLES } from '@twofold/local/sql/native.fixture.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

/** What the database itself holds the application to, whatever its statements forget. */

let here: World
let mine: Tenant
let theirs: Tenant
let tables: string[]
beforeAll(async () => {
  // The tables of the graph as well.
  here = await world({ NEO4J_URI: '' })
  tables = (
    await here.owner(`select table_schema || '.' || c.table_name as name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
      where table_schema in ('twofold', 'graph') and column_name = 'tenant_id' and table_type = 'BASE TABLE' order by 1`)
  ).map((row) => row.name as string)
})
afterAll(() => here.close())
/** Two tenants with rows in every table. */
beforeEach(async () => {
  mine = await here.tenant()
  theirs = await here.tenant()
  for (const tenant of [mine, theirs]) {
    const known = { content: `${tenant.id} Anna Bert`, relations: [{ from: 'Anna', type: 'knows', to: 'Bert' }] }
    const memory = await tenant.add({ ...known, key: 'k', waitFor: 'graph' })
    await tenant.patch(`/v1/memories/${memory.id}`, { content: `${tenant.id} Carl` }, { headers: { 'idempotency-key': 'one' } })
    await tenant.patch(`/v1/memories/${memory.id}`, known)
    await tenant.call('PUT', '/v1/documents', { userId: 'alice', filePath: 'a.md', title: 'A', content: '' })
    await tenant.post('/v1/sessions', { id: 'today', appName: 'test', userId: 'alice', state: { 'user:name': 'Alice' } })
    await tenant.post('/v1/sessions/today/events', { event: {} })
    await tenant.post('/v1/conversations/today/turns', { query: 'q', answer: 'a' })
    const named = (value: string) => ({ type: 'person', value, subject: 'user:alice' })
    await tenant.post('/v1/graph/links', { links: [{ from: named('Anna'), type: 'knows', to: named('Bert') }] })
    await tenant.call('PUT', '/v1/namespaces/user%3Aalice/policy', { keepVersions: 5 })
    await tenant.call('PUT', '/v1/namespaces/user%3Aalice/consolidation', { strategy: 'exact' })
    await here.deps.db.asTenant(tenant.id, [
      sql`insert into archived_events (tenant_id, session_id, last_seq, tasks, events) select s.tenant_id, s.id, 1, '{}', '[]' from sessions s`,
      sql`insert into document_chunks (tenant_id, memory_id, document_id, position, hash, label) select d.tenant_id, ${memory.id}::uuid, d.id, 0, '', '' from documents d`,
      sql`insert into heard (tenant_id, namespace, hash, n, memory_id) values (current_tenant(), 'user:alice', '', 0, ${memory.id}::uuid)`,
      sql`insert into sync_runs (tenant_id, id, operation, options, started_at) values (current_tenant(), ${memory.id}::uuid, 'check', '{}', now())`,
      sql`insert into drift (tenant_id, id, run_id, kind, thing, what, bucket, deep, found_at)
        values (current_tenant(), ${memory.id}::uuid, ${memory.id}::uuid, 'missing', ${memory.id}, 'memory', 1, false, now())`,
      sql`select abandon_generation(begin_generation(${memory.id}::uuid, now()), now())`,
    ])
  }
})

const callerOf = (key: string, scope: string | null = 'memories:write'): Caller => ({
  ...{ keyHash: hashKey(key), scope, operation: 'test', requestId: 'request-1', onBehalfOf: null, idempotency: null, ifMatch: null },
  ...{ requestHash: Buffer.alloc(32), timings: new Timings(), signal: new AbortController().signal },
})
/** Statements as tenant `mine` runs them in a request, with no predicate of any tenant; answers the rows of the last. */
const asMine = async (...statements: string[]): Promise<any[]> =>
  (await here.deps.db.asCaller(callerOf(mine.key), null, statements.map(raw), { write: true })).rows.at(-1) as any[]
const code = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error) => error.code,
  )
const numbers = async () => {
  const rows = await here.owner('select uuid, id from twofold.tenants')
  return new Map(rows.map((row) => [row.uuid as string, row.id as string]))
}
const everything = async (tenant: string) => {
  const number = (await numbers()).get(tenant) as string
  const counts = await Promise.all(
    tables.map(async (table) =>
      (await here.owner(`select t::text as row from ${table} t where tenant_id = $1 order by 1`, [number])).map((r) => r.row),
    ),
  )
  return Object.fromEntries(tables.map((table, i) => [table, counts[i]]))
}
const PERMISSION_DENIED = '42501'

describe('the catalogs', () => {
  test('every table with a tenant has row-level security and one policy, by the tenant of the transaction, on what is read and what is written', async () => {
    const policies =
      await here.owner(`select n.nspname || '.' || c.relname as name, c.relrowsecurity as enabled, p.polpermissive as permissive, p.polcmd as command,
        pg_get_expr(p.polqual, c.oid) as reads, pg_get_expr(p.polwithcheck, c.oid) as writes, p.polroles::regrole[]::text as roles
      from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_policy p on p.polrelid = c.oid
      where n.nspname in ('twofold', 'graph') and c.relkind in ('r', 'p') and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) order by 1`)
    expect(policies.map((row) => row.name)).toEqual(tables)
    expect(tables.length).toBeGreaterThanOrEqual(15)
    const by = expect.stringMatching(/^\(tenant_id = (twofold\.)?current_tenant\(\)\)$/)
    for (const policy of policies)
      expect(policy).toEqual({
        name: policy.name,
        enabled: 't',
        permissive: 't',
        command: '*',
        reads: by,
        writes: by,
        roles: '{twofold_app}',
      })
  })

  test('every other table is closed to the application, and every view reads as its caller', async () => {
    const open =
      await here.owner(`select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('twofold', 'graph') and c.relkind in ('r', 'p', 'm', 'f') and has_any_column_privilege('twofold_app', c.oid, 'select, insert, update') order by 1`)
    expect(open.map((row) => row.name)).toEqual(tables)
    const views = await here.owner(`select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('twofold', 'graph') and c.relkind = 'v' and not coalesce(c.reloptions, '{}') @> '{security_invoker=true}'`)
    expect(views).toEqual([])
  })

  test('the role owns nothing, is nobody else, cannot log in, and cannot pass the policies', async () => {
    const [role] = await here.owner(
      `select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin from pg_roles where rolname = 'twofold_app'`,
    )
    expect(Object.values(role as object)).toEqual(Array(6).fill('f'))
    const [owned] = await here.owner(`select (select count(*) from pg_class where relowner = 'twofold_app'::regrole)
      + (select count(*) from pg_proc where proowner = 'twofold_app'::regrole) + (select count(*) from pg_namespace where nspowner = 'twofold_app'::regrole)
      + (select count(*) from pg_auth_members where member = 'twofold_app'::regrole) as n`)
    expect(owned?.n).toBe('0')
  })

  test('every function that runs as its owner names the schemas it looks in', async () => {
    const loose = await here.owner(`select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('twofold', 'graph') and p.prosecdef and not exists (select from unnest(p.proconfig) c where c like 'search_path=%')`)
    expect(loose).toEqual([])
  })
})

describe('without any predicate of the tenant', () => {
  test('only own rows are read, of every table', async () => {
    const own = (await numbers()).get(mine.id)
    for (const table of tables) {
      const rows = await asMine(`select distinct tenant_id::text as tenant from ${table}`)
      const there = await here.owner(`select 1 from ${table} where tenant_id = $1 limit 1`, [own as string])
      expect([table, rows]).toEqual([table, there.length > 0 ? [{ tenant: own }] : []])
    }
    expect((await asMine('select content from readable_memories')).map((row) => row.content)).toEqual([`${mine.id} Anna Bert`])
  })

  test('every table that matters has rows of both, so that the tests here can fail', async () => {
    const both = await everything(theirs.id)
    const empty = Object.entries(both).filter(([, rows]) => rows?.length === 0)
    expect(empty.map(([table]) => table)).toEqual([])
  })

  test('only own rows are changed or removed', async () => {
    const before = await everything(theirs.id)
    for (const table of tables) {
      const changed = await asMine(`update ${table} set tenant_id = tenant_id returning tenant_id`).catch((error) => error.code)
      if (Array.isArray(changed)) expect(new Set(changed.map((row) => row.tenant_id)).size).toBeLessThanOrEqual(1)
      else expect([table, changed]).toEqual([table, PERMISSION_DENIED])
    }
    for (const table of tables.toReversed())
      await asMine(`delete from ${table}`).catch((error) => expect(['23503', PERMISSION_DENIED]).toContain(error.code))
    expect(await everything(theirs.id)).toEqual(before)
    expect(await asMine('select 1 from memories')).toEqual([])
  })

  test('no row is made for, or moved to, another tenant', async () => {
    const before = await everything(theirs.id)
    const other = (await numbers()).get(theirs.id)
    for (const table of tables) {
      const [schema, name] = table.split('.') as [string, string]
      const columns = (
        await here.owner(
          `select column_name as name from information_schema.columns
           where table_schema = $1 and table_name = $2 and is_generated = 'NEVER' and coalesce(identity_generation, '') <> 'ALWAYS'`,
          [schema, name],
        )
      ).map((row) => row.name as string)
      const values = columns.map((column) => (column === 'tenant_id' ? other : column))
      expect([table, await code(asMine(`insert into ${table} (${columns}) select ${values} from ${table}`))]).toEqual([
        table,
        PERMISSION_DENIED,
      ])
      expect([table, await code(asMine(`update ${table} set tenant_id = ${other}`))]).toEqual([table, PERMISSION_DENIED])
    }
    expect(await everything(theirs.id)).toEqual(before)
  })

  test('without a tenant there is nothing at all', async () => {
    for (const table of tables) {
      const column = table === 'twofold.api_keys' ? 'id' : '*'
      expect([table, (await here.deps.db.across([raw(`select count(${column}) as n from ${table}`)]))[0]]).toEqual([table, [{ n: 0 }]])
    }
  })

  test('background work of one tenant sees that tenant alone', async () => {
    const [rows] = await here.deps.db.asTenant(theirs.id, [sql<{ content: string }>`select content from memories`])
    expect(rows.map((row) => row.content)).toEqual([`${theirs.id} Anna Bert`])
  })
})

describe('what even the own tenant is not given', () => {
  test.each([
    ['the hash of a key', 'select hash from api_keys'],
    ['the former hash of a key', 'select former_hash from api_keys'],
    ['a whole row of keys', 'select * from api_keys'],
    ['the hash in an answer', `update api_keys set name = name returning hash`],
    ['the scopes of a key, to change', `update api_keys set scopes = '{admin}'`],
    ['the grants of a key, to change', `update api_keys set namespaces = '{*}'`],
    ['keys, to delete', 'delete from api_keys'],
    ['the table of tenants', 'select * from tenants'],
    ['the audit, to change', `update audit_log set actor = 'nobody'`],
    ['the audit, to delete', 'delete from audit_log'],
    ['the audit, to empty', 'truncate audit_log'],
    ['the ledger, to delete', 'delete from ledger'],
    ['memories, to empty', 'truncate memories cascade'],
    ['the policies', 'alter table memories disable row level security'],
    ['a table of its own', 'create table twofold.mine (x int)'],
    ['a schema of its own', 'create schema mine'],
    ['a function in place of ours', 'create or replace function twofold.current_tenant() returns int language sql as $$ select 1 $$'],
    ['the first tenant of a machine', `select ensure_tenant(gen_random_uuid(), 'x', gen_random_uuid(), '\\x00', now())`],
    ['the migrations', 'select * from twofold.migrations'],
    ['files of the server', `select pg_read_file('/etc/passwd')`],
  ])('%s', async (_, statement) => {
    expect([PERMISSION_DENIED, '42P01']).toContain(await code(asMine(statement)))
  })

  test('the owner, when the connection has a login of its own: going back to it is going nowhere', async () => {
    // In a world of its own: the one session of the embedded database does not come back whole from being somebody else.
    const there = await world()
    const own = await there.tenant()
    // Connections to a native database are such a login's already; those to the embedded one are its owner's.
    const embedded = !process.env.TEST_DATABASE_URL
    const login = embedded ? 'connecting' : ROLES.login
    if (embedded) await there.owner('create role connecting login in role twofold_app')
    const failure = (statement: string) =>
      there.deps.db
        .across([
          ...(embedded ? [raw('set local session authorization connecting')] : []),
          raw(`select set_config('role', 'twofold_app', true)`),
          sql`select authorize(${hashKey(own.key)}::bytea, null, null, null, now(), 'request-1', null)`,
          raw('reset role'),
          raw(statement),
        ])
        .catch((error) => error)
    try {
      for (const tenant of [own, await there.tenant()]) await tenant.add({ content: tenant.id })
      const seen = await failure(
        `select refuse('conflict', 'seen', jsonb_build_object('as', current_user, 'content', (select jsonb_agg(content) from memories)))`,
      )
      expect(seen.details).toEqual({ as: login, content: [own.id] })
      for (const statement of [`set local role ${embedded ? 'postgres' : ROLES.owner}`, 'select hash from api_keys', 'drop table memories'])
        expect([statement, (await failure(statement)).code]).toEqual([statement, PERMISSION_DENIED])
    } finally {
      await there.close()
    }
  })
})

test('no word of a caller is ever part of a statement, where it could become one: all of them are parameters', async () => {
  const word = 'zzcaller'
  const texts: string[] = []
  const { db } = here.deps
  const watched = <M extends 'asCaller' | 'asTenant' | 'across'>(method: M) =>
    ((...args: unknown[]) => {
      texts.push(
        ...((args.find((arg) => Array.isArray(arg) && arg.some((each) => each?.text)) as { text: string }[] | undefined) ?? []).map(
          ({ text }) => text,
        ),
      )
      return (db[method] as (...args: unknown[]) => unknown)(...args)
    }) as (typeof db)[M]
  here.deps.db = { ...db, asCaller: watched('asCaller'), asTenant: watched('asTenant'), across: watched('across') }
  try {
    const body = {
      ...{
        namespace: `user:${word}`,
        key: word,
        content: word,
        kind: word,
        value: { [word]: word },
        summary: word,
        metadata: { [word]: word },
        tags: [word],
      },
      ...{
        entities: [{ type: word, value: word }],
        relations: [{ from: word, type: word, to: `${word} too` }],
        speaker: word,
        sessionId: word,
        waitFor: 'graph',
      },
    }
    const { json } = await mine.post('/v1/memories', body, {
      headers: { 'idempotency-key': word, 'x-request-id': word, 'x-on-behalf-of': word },
    })
    const id = json.memory.id
    const where = { namespace: `user:${word}`, query: word, tags: [word], kinds: [word] }
    const filters = [{ eq: word }, { ne: word }, { gt: word }, { lte: word }, { in: [word] }, { contains: word }].map((condition) => ({
      [word]: condition,
    }))
    const about = { type: word, value: word }
    const named = (value: string) => ({ type: word, value, subject: `user:${word}` })
    const entityOf = async (q: string) => (await mine.get(`/v1/graph/entities?q=${q}&subject=user:${word}`)).json.items[0].id
    const promised = await mine.post('/v1/commitments', { namespace: `user:${word}`, title: word, owner: word, about: [about] })
    const answers = [
      await mine.patch(`/v1/memories/${id}`, { content: `${word} again`, metadata: { [word]: word } }),
      await mine.post('/v1/memories/search', { ...where, filter: { OR: filters }, expand: { hops: 1 } }),
      await mine.post('/v1/memories/search', { ...where, filter: { NOT: { AND: filters } }, asOf: '2999-01-01T00:00:00Z' }),
      await mine.get(`/v1/memories?namespace=user:${word}&key=${word}&tag=${word}&kind=${word}&createdBy=${word}`),
      await mine.get(
        `/v1/memories?namespacePrefix=user:${word}&key=${word}&tag=${word}&kind=${word}&createdBy=${word}&asOf=2999-01-01T00:00:00Z`,
      ),
      await mine.post('/v1/graph/query', { start: { type: word, value: word }, via: [word], namespacePrefix: `user:${word}` }),
      await mine.get(`/v1/graph/entities?q=${word}&type=${word}&subject=user:${word}`),
      await mine.post('/v1/graph/links', {
        links: [{ from: named(word), type: word, to: named(`${word} too`), properties: { [word]: word } }],
      }),
      await mine.get(`/v1/graph/entities/${await entityOf(word)}/related?via=${word}`),
      await mine.get(`/v1/graph/entities/${await entityOf(word)}/context`),
      await mine.post('/v1/sessions', {
        id: word,
        appName: word,
        userId: word,
        projectId: word,
        state: { [word]: word },
        metadata: { [word]: word },
      }),
      await mine.get(`/v1/sessions/${word}`),
      await mine.post(`/v1/sessions/${word}/terminate`),
      await mine.post(`/v1/conversations/${word}/turns`, { query: word, answer: word, userId: word, remember: true }),
      await mine.get(`/v1/conversations/${word}/context`),
      await mine.get(`/v1/conversations/${word}`),
      await mine.get(`/v1/conversations?userId=${word}`),
      await mine.del(`/v1/conversations/${word}`, { headers: { 'idempotency-key': `${word}-clear` } }),
      await mine.get(`/v1/audit?namespacePrefix=user:${word}&actor=${word}&onBehalfOf=${word}&action=${word}.${word}`),
      await mine.post('/v1/decisions', { namespace: `user:${word}`, title: word, rationale: word, alternatives: [word], about: [about] }),
      await mine.post('/v1/patterns', { namespace: `user:${word}`, name: word, description: word }),
      promised,
      await mine.post(`/v1/commitments/${promised.json.memory.id}/complete`, { outcome: word }),
      await mine.get(`/v1/commitments?namespace=user:${word}&owner=${word}&status=completed`),
      await mine.post('/v1/memories/recall', { namespace: `user:${word}`, query: word, memoryTypes: [word, 'decision'] }),
      await mine.post('/v1/keys', { name: word, scopes: ['sync'], namespaces: [`user:${word}`] }),
      await mine.del(`/v1/memories/${id}`),
      await mine.post(`/v1/memories/${id}/restore`, {}),
      await mine.del(`/v1/memories/${id}?hard=true`),
    ]
    expect(answers.map(({ status }) => status).filter((status) => status >= 300)).toEqual([])
    expect(texts.length).toBeGreaterThan(50)
    expect(texts.filter((text) => text.includes(word))).toEqual([])
  } finally {
    here.deps.db = db
  }
})

describe('a guard that raises', () => {
  test('takes the whole list with it, whatever came before and after', async () => {
    const before = await everything(mine.id)
    const refused = asMine(
      `insert into collectable (tenant_id, entity_id, since) values (current_tenant(), gen_random_uuid(), now())`,
      `select audit('test', array[gen_random_uuid()], array['user:x'], array[1], now())`,
      `select refuse('version_mismatch', 'no')`,
      `insert into collectable (tenant_id, entity_id, since) values (current_tenant(), gen_random_uuid(), now())`,
    )
    expect(await code(refused)).toBe('version_mismatch')
    expect(await everything(mine.id)).toEqual(before)
  })

  test('is the first thing that runs: an unknown key, a missing scope, a namespace outside the grant', async () => {
    const before = await everything(mine.id)
    const list = [raw(`insert into collectable (tenant_id, entity_id, since) values (current_tenant(), gen_random_uuid(), now())`)]
    const narrow = await mine.keyFor(['memories:read'], ['user:alice'])
    const ranges = [{ low: 'user:bob', high: 'user:bob\u0001' }]
    expect(await code(here.deps.db.asCaller(callerOf('tf_unknown'), null, list))).toBe('unauthenticated')
    expect(await code(here.deps.db.asCaller(callerOf(narrow), null, list))).toBe('forbidden')
    expect(await code(here.deps.db.asCaller(callerOf(narrow, 'memories:read'), ranges, list))).toBe('forbidden')
    expect(await code(here.deps.db.asCaller(callerOf(narrow, 'memories:read'), [{ low: 'user:alice', high: 'user:alicf' }], list))).toBe(
      'forbidden',
    )
    const after = await everything(mine.id)
    expect({ ...after, 'twofold.api_keys': null }).toEqual({ ...before, 'twofold.api_keys': null })
  })
})
