import { neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Listening, listen } from '../http/listen.ts'
import type { SqlBackend } from './backend.ts'
import { sqlEndpoint } from './endpoint.ts'

const URL = 'postgresql://owner:s3cret%2F@localhost/twofold'

/** What Neon's own driver must see of every backend behind `/sql`. */
export function sqlContract(name: string, open: () => Promise<SqlBackend>): void {
  describe(name, () => {
    let backend: SqlBackend
    let server: Listening
    const asNeon = (url = URL) => neon(url, { fullResults: true })
    const sql = (strings: TemplateStringsArray, ...values: unknown[]) => asNeon()(strings, ...values)

    beforeAll(async () => {
      backend = await open()
      server = await listen({ sql: sqlEndpoint({ backend, connectionString: URL }) }, { log: console.error })
      neonConfig.fetchEndpoint = `${server.url}/sql`
      await sql`create extension if not exists vector`
    }, 30_000)
    afterAll(async () => {
      await server.close()
      await backend.close()
    })
    beforeEach(async () => {
      await sql`drop table if exists things`
      await sql`create table things (id int primary key, body text constraint body_not_empty check (body <> ''))`
    })

    test('every type the product stores comes back as it went in', async () => {
      const text = 'naïve 日本語 🧠 \u202bשלום\u202c "quotes" \\ and \n lines'
      const vector = '[1,-0.5,3.25e-7]'
      const { rows, fields } = await sql`
        select ${text}::text as text, ${JSON.stringify({ a: [1, null, text] })}::jsonb as jsonb, ${['x,y', 'z"', text]}::text[] as texts,
          ${[1, 2]}::int[] as ints, '2026-02-03T04:05:06.789012Z'::timestamptz at time zone 'UTC' as time, ${Buffer.from([0, 1, 254, 255])}::bytea as bytes,
          ${vector}::vector as vector, ${'9223372036854775807'}::int8 as big, ${null}::text as nothing, true as yes, 1.5::float8 as float`
      expect(rows[0]).toMatchObject({
        text,
        jsonb: { a: [1, null, text] },
        texts: ['x,y', 'z"', text],
        ints: [1, 2],
        bytes: Buffer.from([0, 1, 254, 255]),
        vector: '[1,-0.5,3.25e-07]',
        big: '9223372036854775807',
        nothing: null,
        yes: true,
        float: 1.5,
      })
      expect(fields.map((field) => field.dataTypeID).slice(0, 3)).toEqual([25, 3802, 1009])
    })

    test('array mode answers rows as arrays and full results say command and count', async () => {
      await sql`insert into things values (1, 'a'), (2, 'b')`
      const result = await asNeon().query('update things set body = $1 where id > $2 returning id, body', ['c', 0], { arrayMode: true })
      expect(result).toMatchObject({
        command: 'UPDATE',
        rowCount: 2,
        rows: [
          [1, 'c'],
          [2, 'c'],
        ],
      })
      expect(await sql`select where false`).toMatchObject({ command: 'SELECT', rowCount: 0, rows: [] })
      expect((await sql`drop table things`).command).toBe('DROP')
    })

    test('a parameter of 4 MB arrives whole and comes back whole', async () => {
      const body = 'é🧠x'.repeat(600_000)
      await sql`insert into things values (1, ${body})`
      const { rows } = await sql`select body, octet_length(body) as bytes from things`
      expect(rows[0]?.bytes).toBe(4_200_000)
      expect(rows[0]?.body === body).toBe(true)
    })

    test('an error carries the fields of Postgres', async () => {
      await sql`insert into things values (1, 'a')`
      await expect(sql`insert into things values (1, 'b')`).rejects.toMatchObject({
        code: '23505',
        severity: 'ERROR',
        constraint: 'things_pkey',
        table: 'things',
        schema: 'public',
        detail: 'Key (id)=(1) already exists.',
      })
      await expect(sql`insert into things values (2, '')`).rejects.toMatchObject({ code: '23514', constraint: 'body_not_empty' })
      await expect(sql`select nowhere`).rejects.toMatchObject({ code: '42703', position: '8' })
      await expect(
        sql`do $$ begin raise exception using errcode = 'TW001', message = 'conflict', detail = '{"a":1}', hint = 'h'; end $$`,
      ).rejects.toMatchObject({
        code: 'TW001',
        message: 'conflict',
        detail: '{"a":1}',
        hint: 'h',
        where: expect.stringContaining('PL/pgSQL'),
      })
      expect((await sql`select 1 as one`).rows).toEqual([{ one: 1 }])
    })

    test('a transaction answers each statement in order and keeps all of it', async () => {
      const neonSql = asNeon()
      const results = await neonSql.transaction([
        neonSql`insert into things values (1, 'a') returning id`,
        neonSql`select count(*)::int as count from things`,
        neonSql`select set_config('twofold.test', 'here', true) as set`,
        neonSql`select current_setting('twofold.test') as setting`,
      ])
      expect(results.map((result) => result.rows)).toEqual([[{ id: 1 }], [{ count: 1 }], [{ set: 'here' }], [{ setting: 'here' }]])
      expect((await sql`select coalesce(current_setting('twofold.test', true), '') as setting`).rows).toEqual([{ setting: '' }])
    })

    test('the first error of a transaction takes back all of it, and the next request starts clean', async () => {
      const neonSql = asNeon()
      const list = () => [
        neonSql`insert into things values (1, 'a')`,
        neonSql`insert into things values (${1}, ${'b'})`,
        neonSql`insert into things values (3, 'c')`,
      ]
      for (let i = 0; i < 3; i++) await expect(neonSql.transaction(list())).rejects.toMatchObject({ code: '23505' })
      expect((await sql`select * from things`).rows).toEqual([])
      await expect(neonSql.transaction([neonSql`insert into things values (1, 'a')`, neonSql`this is not sql`])).rejects.toMatchObject({
        code: '42601',
      })
      expect((await sql`select * from things`).rows).toEqual([])
      expect((await neonSql.transaction([neonSql`insert into things values (${1}, ${'b'}) returning body`]))[0]?.rows).toEqual([
        { body: 'b' },
      ])
    })

    test('a check that is deferred to the end of the transaction still takes back all of it', async () => {
      const neonSql = asNeon()
      await sql`alter table things add other int references things deferrable initially deferred`
      await expect(neonSql.transaction([neonSql`insert into things values (1, 'a', 99)`, neonSql`select 1`])).rejects.toMatchObject({
        code: '23503',
      })
      expect((await sql`select * from things`).rows).toEqual([])
    })

    test('isolation, read only and deferrable of a transaction are honoured', async () => {
      const neonSql = asNeon()
      const options = { isolationLevel: 'Serializable', readOnly: true, deferrable: true } as const
      const show = [neonSql`show transaction_isolation`, neonSql`show transaction_read_only`, neonSql`show transaction_deferrable`]
      const shown = await neonSql.transaction(show, options)
      expect(shown.flatMap((result) => result.rows.map((row) => Object.values(row)[0]))).toEqual(['serializable', 'on', 'on'])
      await expect(neonSql.transaction([neonSql`insert into things values (1, 'a')`], options)).rejects.toMatchObject({ code: '25006' })
    })

    test('a statement that was prepared and deallocated, or whose table changed, still answers', async () => {
      for (let i = 0; i < 3; i++) await sql`select 1 as one`
      await sql`deallocate all`
      expect((await sql`select 1 as one`).rows).toEqual([{ one: 1 }])
      await sql`insert into things values (1, 'a')`
      for (let i = 0; i < 3; i++) await sql`select * from things`
      await sql`alter table things add added int default 7`
      const neonSql = asNeon()
      expect((await neonSql.transaction([neonSql`select * from things`]))[0]?.rows).toEqual([{ id: 1, body: 'a', added: 7 }])
    })

    test('more different statements than are kept prepared all answer', async () => {
      for (let i = 0; i < 300; i++) expect((await asNeon().query(`select ${i} as n`)).rows).toEqual([{ n: i }])
      expect((await asNeon().query('select 0 as n')).rows).toEqual([{ n: 0 }])
    })

    test('many requests at once are each answered with their own rows', async () => {
      const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => sql`select ${i}::int as n, pg_sleep(0.001)`))
      expect(answers.map((answer) => answer.rows[0]?.n)).toEqual(Array.from({ length: 60 }, (_, i) => i))
    })

    test('only the exact connection string opens the endpoint', async () => {
      for (const url of [URL.replace('s3cret', 'other'), URL.replace('owner', 'app'), URL.replace('/twofold', '/another')]) {
        await expect(asNeon(url)`select 1`).rejects.toMatchObject({ code: '28P01' })
      }
      expect((await asNeon(`${URL}?sslmode=require`)`select 1 as one`).rows).toEqual([{ one: 1 }])
    })

    test('what no driver of the product sends is refused with a reason', async () => {
      const post = async (body: string, headers: Record<string, string> = {}, method = 'POST') => {
        const init = {
          method,
          headers: { 'neon-connection-string': URL, 'neon-raw-text-output': 'true', 'neon-array-mode': 'true', ...headers },
        }
        const answer = await fetch(`${server.url}/sql`, method === 'POST' ? { ...init, body } : init)
        return { status: answer.status, ...((await answer.json()) as object) }
      }
      expect(await post('{')).toMatchObject({ status: 400, code: '08P01', message: 'the body is not JSON' })
      expect(await post('{"query": 1}')).toMatchObject({ status: 400, message: expect.stringContaining('query must be a string') })
      expect(await post('{"queries": [{"query": "select 1", "params": {}}]}')).toMatchObject({
        status: 400,
        message: 'params must be an array',
      })
      expect(await post('{"query": "select 1"}', { 'neon-raw-text-output': 'false' })).toMatchObject({
        status: 400,
        message: expect.stringContaining('unsupported'),
      })
      expect(await post('{"queries": []}', { 'neon-batch-isolation-level': 'Chaos' })).toMatchObject({
        status: 400,
        message: expect.stringContaining('Serializable'),
      })
      expect(await post('', {}, 'GET')).toMatchObject({ status: 400, message: 'only POST is supported' })
      expect(await post('{"query": "select 1; select 2"}')).toMatchObject({ status: 400, code: '42601' })
      expect(await post('{"query": "copy things from stdin"}')).toMatchObject({ status: 400, message: 'unsupported: COPY' })
      expect(await post('{"query": ""}')).toMatchObject({ status: 200, rows: [] })
    })
  })
}
