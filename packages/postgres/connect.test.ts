import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Replay, SqlError, VectorStoreError } from '@twofold/core/failures.ts'
import { sql } from '@twofold/core/sql.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connection, type MigratedDatabase, migratedDatabase } from '../../tests/database.ts'
import { connect } from './connect.ts'
import { asOwner, type Owner } from './owner.ts'

const TENANT = '01890000-0000-7000-8000-000000000001'
const OTHER = '01890000-0000-7000-8000-000000000002'
const key = (n: number): Buffer => Buffer.alloc(32, n)

let database: MigratedDatabase
let owner: Owner

beforeAll(async () => {
  database = await migratedDatabase()
  owner = asOwner(database.owner)
  await owner([
    sql`select twofold.make_tenant(${TENANT}, 'one', '01890000-0000-7000-8000-00000000000a', ${key(1)}, now())`,
    sql`select twofold.make_tenant(${OTHER}, 'two', '01890000-0000-7000-8000-00000000000b', ${key(2)}, now())`,
    sql`insert into twofold.api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
        select id, '01890000-0000-7000-8000-00000000000c', 'narrow', ${key(3)}, '{memories:read}', '{user:al}', now()
        from twofold.tenants where uuid = ${TENANT}`,
    sql`create table public.tries (n int)`,
    sql`create function public.fail(code text, what text, details text) returns int language plpgsql as
        $$ begin raise exception using errcode = code, message = what, detail = coalesce(details, ''); end $$`,
    sql`create sequence public.calls`,
    sql`grant all on sequence public.calls to twofold_app`,
    sql`grant all on public.tries to twofold_app`,
  ])
})
afterAll(() => database.close())

const caller = (more: Partial<Caller> = {}): Caller => ({
  keyHash: key(1),
  scope: 'memories:read',
  operation: 'memories.get',
  requestId: 'request-1',
  onBehalfOf: null,
  idempotency: null,
  requestHash: key(9),
  ifMatch: null,
  timings: new Timings(),
  signal: new AbortController().signal,
  ...more,
})

const refusal = async (work: Promise<unknown>): Promise<Refusal> => {
  const error = await work.catch((e: unknown) => e)
  if (!(error instanceof Refusal)) throw new Error(`expected a refusal, got ${error}`)
  return error
}

describe('what comes in and goes out', () => {
  const roundTrip = async (value: unknown, type: string) => {
    const [rows] = await database.db.across([{ text: `select $1::${type} as v`, params: [value] }])
    return (rows[0] as { v: unknown }).v
  }

  test.each([
    ['text with quotes, emoji and backslashes', `it's "quoted" \\ 🦊 مرحبا`, 'text'],
    ['an empty text', '', 'text'],
    ['null', null, 'text'],
    ['an int', -5, 'int'],
    ['a bigint that a number holds', Number.MAX_SAFE_INTEGER, 'bigint'],
    ['a float', 0.1, 'float8'],
    ['a boolean', true, 'bool'],
    ['a uuid', TENANT, 'uuid'],
    ['texts', ['a', '', 'b,"c"', '{}', 'back\\slash', '\u0001', null], 'text[]'],
    ['no texts', [], 'text[]'],
    ['uuids', [TENANT, OTHER], 'uuid[]'],
    ['ints', [1, -2, null], 'int[]'],
    ['bigints', [1, Number.MAX_SAFE_INTEGER], 'bigint[]'],
    ['floats', [0.1, -2.5], 'float8[]'],
    ['booleans', [true, false], 'bool[]'],
    ['an object as json', { a: [1, { b: null }], 'ü"': "'" }, 'jsonb'],
  ])('%s comes back as it went in', async (_, value, type) => {
    expect(await roundTrip(value, type)).toEqual(value)
  })

  test('json that is an array goes as text and comes back parsed', async () => {
    expect(await roundTrip(JSON.stringify([{ a: 1 }, 'x']), 'jsonb')).toEqual([{ a: 1 }, 'x'])
  })

  test('bytes go and come as bytes, from a Buffer and from a Uint8Array', async () => {
    const bytes = Buffer.from([0, 255, 92, 39, 128])
    expect(await roundTrip(bytes, 'bytea')).toEqual(bytes)
    expect(await roundTrip(new Uint8Array(bytes), 'bytea')).toEqual(bytes)
  })

  test('times are ISO 8601 in UTC with milliseconds, whatever precision Postgres keeps', async () => {
    const at = new Date('2026-07-01T10:00:00.120Z')
    expect(await roundTrip(at, 'timestamptz')).toBe('2026-07-01T10:00:00.120Z')
    expect(await roundTrip('2026-07-01T12:00:00.1239995+02:30', 'timestamptz')).toBe('2026-07-01T09:30:00.124Z')
    expect(await roundTrip(['2026-07-01T12:00:00Z', null], 'timestamptz[]')).toEqual(['2026-07-01T12:00:00.000Z', null])
    expect(await roundTrip('infinity', 'timestamptz')).toBe('infinity')
  })

  test('a bigint beyond what a number holds exactly is an error, never another number', async () => {
    await expect(roundTrip('9007199254740993', 'bigint')).rejects.toThrow(/beyond what a number holds/)
  })

  test('a vector, a date and a numeric stay as Postgres writes them', async () => {
    expect(await roundTrip('[1,2.5]', 'vector')).toBe('[1,2.5]')
    expect(await roundTrip('2026-01-02', 'date')).toBe('2026-01-02')
    expect(await roundTrip('12345678901234567890.5', 'numeric')).toBe('12345678901234567890.5')
  })
})

describe('as a caller', () => {
  test('the key is verified and the statements run as the unprivileged role, in the same transaction', async () => {
    const asked = caller()
    const { authorized, rows } = await database.db.asCaller(asked, null, [
      sql<{ role: string }>`select current_user as role`,
      sql<{ id: string }>`select id from api_keys order by id`,
    ])
    expect(authorized).toEqual({ tenant: TENANT, keyId: '01890000-0000-7000-8000-00000000000a', scopes: ['admin'], grants: ['*'] })
    expect(rows[0]).toEqual([{ role: 'twofold_app' }])
    expect(rows[1].map((row) => row.id.at(-1))).toEqual(['a', 'c'])
    expect(asked.timings.parts.get('db')).toBeGreaterThan(0)
  })

  test('an unknown key is unauthenticated and a scope the key lacks is forbidden', async () => {
    expect((await refusal(database.db.asCaller(caller({ keyHash: key(7) }), null, []))).code).toBe('unauthenticated')
    const refused = await refusal(database.db.asCaller(caller({ keyHash: key(3), scope: 'memories:write' }), null, []))
    expect(refused).toMatchObject({
      code: 'forbidden',
      message: 'The key lacks the scope memories:write.',
      details: { scope: 'memories:write' },
    })
  })

  test('a named namespace must lie inside a grant, by whole segments', async () => {
    const narrow = caller({ keyHash: key(3) })
    await database.db.asCaller(narrow, [{ low: 'user:al', high: 'user:al\u0001' }], [])
    expect((await refusal(database.db.asCaller(narrow, [{ low: 'user:alice', high: 'user:alice\u0001' }], []))).code).toBe('forbidden')
  })

  test('nothing of one transaction is left for the next: neither role nor tenant', async () => {
    await database.db.asCaller(caller(), null, [])
    const [rows] = await asOwner(database)([
      sql`select current_user = session_user as role, coalesce(current_setting('twofold.tenant', true), '') as tenant`,
    ])
    expect(rows).toEqual([{ role: true, tenant: '' }])
  })

  test('background work sees one tenant, work across tenants none', async () => {
    const [mine] = await database.db.asTenant(OTHER, [sql<{ name: string }>`select name from api_keys`])
    expect(mine).toEqual([{ name: 'first admin key' }])
    expect(await database.db.across([sql`select name from api_keys`])).toEqual([[]])
    expect((await refusal(database.db.asTenant('01890000-0000-7000-8000-0000000000ff', []))).code).toBe('not_found')
  })

  test('two connections of one process go to their own databases', async () => {
    const second = await migratedDatabase()
    try {
      await asOwner(second.owner)([sql`select twofold.make_tenant(${OTHER}, 'elsewhere', ${OTHER}, ${key(1)}, now())`])
      const [here, there] = await Promise.all([database, second].map(({ db }) => db.asCaller(caller(), null, [])))
      expect([here?.authorized.tenant, there?.authorized.tenant]).toEqual([TENANT, OTHER])
    } finally {
      await second.close()
    }
  })
})

describe('what is refused', () => {
  const failing = (code: string, what = 'secret content', details: object | null = null) =>
    sql`select public.fail(${code}, ${what}, ${details && JSON.stringify(details)})`

  test('a guard takes the whole list with it and arrives as its refusal with message and details', async () => {
    const list = [
      sql`insert into public.tries values (1)`,
      failing('TW001', 'version_mismatch', { message: 'Too late.', currentVersion: 4 }),
    ]
    const refused = await refusal(database.db.asCaller(caller(), null, list, { write: true }))
    expect(refused).toMatchObject({ code: 'version_mismatch', message: 'Too late.', details: { currentVersion: 4 } })
    expect(await database.db.across([sql`select * from public.tries`])).toEqual([[]])
  })

  test('a replay arrives with its targets', async () => {
    const targets = [{ id: TENANT, version: 2, code: null }]
    const error = await database.db.across([failing('TW001', 'replay', { message: 'replay', targets })]).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Replay)
    expect((error as Replay).targets).toEqual(targets)
  })

  test.each(['40001', '40P01', 'TW002'])('%s is tried again as often as configured, writes too, then answers in_progress', async (code) => {
    const before = await calls()
    const refused = await refusal(
      database.db.asCaller(caller(), null, [sql`select nextval('public.calls')`, failing(code)], { write: true }),
    )
    expect(refused.code).toBe('in_progress')
    expect(refused.details.retryAfterMs).toBeGreaterThan(0)
    expect((await calls()) - before).toBe(3)
  })

  test('what succeeds when tried again is never noticed', async () => {
    const start = await calls()
    const [rows] = await database.db.across([
      sql<{ n: number }>`select case when nextval('public.calls') - ${start} < 3 then public.fail('40001', 'x', null) else 1 end as n`,
    ])
    expect(rows).toEqual([{ n: 1 }])
  })

  test('a lock that is not had in time is in_progress, a statement that takes too long is a timeout; neither is tried again', async () => {
    const before = await calls()
    expect((await refusal(database.db.across([sql`select nextval('public.calls')`, failing('55P03')]))).code).toBe('in_progress')
    expect((await refusal(database.db.across([sql`select nextval('public.calls')`, failing('57014')]))).code).toBe('timeout')
    expect((await calls()) - before).toBe(2)
  })

  test('anything unforeseen names code and constraint and never a value', async () => {
    await owner([
      sql`create table public.uniques (word text constraint only_once unique)`,
      sql`grant insert on public.uniques to twofold_app`,
    ])
    const add = [sql`insert into public.uniques values (${'very secret'})`]
    await database.db.across(add)
    const error = (await database.db.across(add).catch((e: unknown) => e)) as SqlError
    expect(error).toBeInstanceOf(SqlError)
    expect(error).toMatchObject({ code: '23505', constraint: 'only_once' })
    expect(error.message).toBe('SQLSTATE 23505 on uniques.only_once (_bt_check_unique)')
    const bad = (await database.db.across([sql`select ${'very secret'}::uuid`]).catch((e: unknown) => e)) as SqlError
    expect(bad.code).toBe('22P02')
    expect(JSON.stringify([bad.message, bad.cause ?? null, bad.stack])).not.toContain('secret')
    const mistake = (await database.db.across([sql`select nothing from api_keys`]).catch((e: unknown) => e)) as SqlError
    expect(mistake.message).toBe('SQLSTATE 42703: column "nothing" does not exist')
  })

  const calls = async (): Promise<number> => {
    const [rows] = await owner([sql`select last_value::int + is_called::int - 1 as n from public.calls`])
    return rows?.[0]?.n as number
  }
})

describe('a database that does not answer', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections()
  })

  /** An HTTP server in the database's place, and what it was asked. */
  async function inPlace(answer: Parameters<typeof createServer>[1], more: Partial<typeof connection> = {}) {
    const seen = { requests: 0 }
    const server = createServer((request, response) => {
      seen.requests++
      request.resume()
      request.on('end', () => answer?.(request, response as never))
    })
    servers.push(server)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const fetchEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sql`
    return { seen, server, db: connect({ ...connection, url: database.url, fetchEndpoint, ...more }) }
  }
  const down = async (work: Promise<unknown>) => {
    const error = await work.catch((e: unknown) => e)
    expect(error).toBeInstanceOf(VectorStoreError)
    expect(error).toMatchObject({ retryable: true })
  }
  const sqlState = (code: string) => JSON.stringify({ message: 'x', code })

  test('a connection cut without an answer: reads are tried again, a write is sent once', async () => {
    const { seen, db } = await inPlace((request) => request.socket.destroy())
    await down(db.asCaller(caller(), null, []))
    expect(seen.requests).toBe(3)
    await down(db.asCaller(caller(), null, [], { write: true }))
    expect(seen.requests).toBe(4)
  })

  test.each([
    ['HTTP 500', 500, 'oops', 3, 1],
    ['a page of a proxy', 200, '<html>', 3, 1],
    ['half an answer', 200, '{"results": [', 3, 1],
    ['too many requests', 429, '', 3, 3],
    ['too many connections', 400, '53300', 3, 3],
    ['a database that is starting', 400, '57P03', 3, 3],
    ['a database that is shut down meanwhile', 400, '57P01', 3, 1],
    ['a wrong password', 400, '28P01', 1, 1],
    ['a full disk', 400, '53100', 1, 1],
  ])('%s is a store that is down', async (_, status, text, reads, writes) => {
    const body = /^[0-9A-Z]{5}$/.test(text) ? sqlState(text) : text
    const { seen, db } = await inPlace((_, response) => response.writeHead(status).end(body), { breaker: { failures: 100, recoveryMs: 1 } })
    await down(db.across([]))
    expect(seen.requests).toBe(reads)
    await down(db.asCaller(caller(), null, [], { write: true }))
    expect(seen.requests).toBe(reads + writes)
  })

  test('a refused connection is tried again for writes too: nothing can have arrived', async () => {
    const retries: unknown[] = []
    const { server, db } = await inPlace(undefined, { log: { ...connection.log, warn: (event: string) => retries.push(event) } })
    await new Promise((done) => server.close(done))
    await down(db.asCaller(caller(), null, [], { write: true }))
    expect(retries).toEqual(['database.retry', 'database.retry'])
  })

  test('silence ends after the configured time', async () => {
    const { db } = await inPlace(() => undefined, { timeoutMs: 50, retry: { attempts: 1, delayMs: 1 } })
    await down(db.across([]))
  })

  test('a caller who leaves ends the wait, and is told that it may have happened', async () => {
    const leaving = new AbortController()
    const { seen, db } = await inPlace(() => leaving.abort())
    const refused = await refusal(db.asCaller(caller({ signal: leaving.signal }), null, []))
    expect(refused).toMatchObject({ code: 'timeout', message: expect.stringContaining('may have been done') })
    expect(seen.requests).toBe(1)
  })

  test('after five failures in a row nothing is sent, and one answer after the pause closes the circuit again', async () => {
    const state = { up: false }
    const { seen, db } = await inPlace(
      (request, response) =>
        state.up
          ? response.writeHead(400).end(JSON.stringify({ message: 'forbidden', code: 'TW001', detail: '{}' }))
          : request.socket.destroy(),
      { retry: { attempts: 1, delayMs: 1 }, breaker: { failures: 5, recoveryMs: 100 } },
    )
    for (let i = 0; i < 7; i++) await down(db.across([]))
    expect(seen.requests).toBe(5)
    expect(await db.health()).toMatchObject({ available: false, healthy: false, breaker: 'open', lastCheck: '2026-03-01T12:00:00.000Z' })
    state.up = true
    await new Promise((done) => setTimeout(done, 120))
    expect((await refusal(db.across([]))).code).toBe('forbidden')
    expect(await db.health()).toMatchObject({ breaker: 'closed' })
  })

  test('a healthy database says so', async () => {
    expect(await database.db.health()).toEqual({ available: true, healthy: true, lastCheck: '2026-03-01T12:00:00.000Z', breaker: 'closed' })
  })

  test('a URL that is none is refused without being quoted', () => {
    expect(() => connect({ ...connection, url: 'postgres://:hunter2@' })).toThrow(
      'the database URL must be postgresql://user:password@host/database',
    )
  })
})
