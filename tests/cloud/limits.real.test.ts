import { gunzipSync } from 'node:zlib'
import { eventOf, filesOfOperations } from '@twofold/functions/calls.fixture.ts'
import type { Tenant } from '@twofold/functions/fixture.ts'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LambdaFunction } from './runtime/function.ts'
import { type Stage, stage } from './runtime/stage.ts'

/** What Lambda and an HTTP API allow: 6 MB in and out, and an answer within 30 seconds. */

const operations = await filesOfOperations()

let on: Stage
beforeAll(async () => {
  on = await stage()
})
afterEach(() => {
  on.here.provider.fail(null)
  on.database.decide = undefined
})
afterAll(() => on.close())

const open = (name: string, settings?: Parameters<Stage['open']>[1]) => on.open(operations.get(name)!.file, settings)
const event = (name: string, key: string, call: Parameters<typeof eventOf>[1], headers: object = {}) => {
  const made = eventOf(operations.get(name)!.operation, { key, ...call })
  return { ...made, headers: { ...made.headers, ...headers } }
}
const ask = (its: LambdaFunction, ...given: Parameters<typeof event>) => its.invoke(event(...given))

/** Large to hand over, and little to index. */
const text = (n: number) => `walrus ${n} ${'and so on '.repeat(9_800)}`
const texts = (n: number) => Array.from({ length: n }, (_, i) => text(i))
/** With a vector of its own, so that no model reads it. */
const item = (content: string) => ({ userId: 'a', content, extractEntities: false, embedding: [1, ...Array(63).fill(0)] })
const MIB = 1024 * 1024

async function remember(tenant: Tenant, n: number): Promise<string[]> {
  const contents = texts(n)
  for (let i = 0; i < n; i += 20) {
    const items = contents.slice(i, i + 20).map(item)
    expect((await tenant.post('/v1/memories/batch', { items })).status).toBe(200)
  }
  return contents
}

describe('what comes in', () => {
  test('the largest batch of memories arrives in base64, and its answer fits', async () => {
    const tenant = await on.here.tenant()
    const contents = texts(41)
    const body = { items: contents.map(item) }
    expect(Buffer.byteLength(JSON.stringify(body))).toBeGreaterThan(3.8 * MIB)
    const its = await open('memories.add_batch')
    const { statusCode, body: answered } = await ask(its, 'memories.add_batch', tenant.key, { body })
    expect([statusCode, JSON.parse(answered).items.map((item: any) => item.memory.content)]).toEqual([200, contents])
  })
})

describe('what goes out', () => {
  test('a page of large memories ends where the answer does, and the next goes on', async () => {
    const tenant = await on.here.tenant()
    const contents = await remember(tenant, 60)
    const its = await open('memories.list')
    const seen: string[] = []
    let pages = 0
    for (let cursor: string | null = ''; cursor !== null; pages++) {
      const query = `namespace=user%3Aa&limit=500${cursor && `&cursor=${cursor}`}`
      const { statusCode, body, isBase64Encoded } = await ask(its, 'memories.list', tenant.key, { query })
      expect(statusCode).toBe(200)
      const { items, nextCursor } = JSON.parse(isBase64Encoded ? gunzipSync(Buffer.from(body, 'base64')).toString() : body)
      seen.push(...items.map((each: any) => each.content))
      cursor = nextCursor
    }
    expect([seen, pages]).toEqual([contents, 2])
  })

  test('an answer that no page bounds goes compressed, and one that is too large even so is refused', async () => {
    const tenant = await on.here.tenant()
    await remember(tenant, 80)
    const its = await open('memories.search')
    const body = { userId: 'a', query: 'walrus', mode: 'text', limit: 80 }
    const found = await ask(its, 'memories.search', tenant.key, { body })
    expect([found.statusCode, found.headers['content-encoding']]).toEqual([200, 'gzip'])
    expect(JSON.parse(gunzipSync(Buffer.from(found.body, 'base64')).toString()).results).toHaveLength(80)
    const plain = await ask(its, 'memories.search', tenant.key, { body }, { 'accept-encoding': 'identity' })
    expect([plain.statusCode, JSON.parse(plain.body)]).toMatchObject([413, { code: 'too_large' }])
  })
})

describe('what takes long', () => {
  test('a model that never answers is not waited for', async () => {
    const tenant = await on.here.tenant()
    on.here.provider.fail('hang')
    const { statusCode, body } = await ask(await open('memories.add'), 'memories.add', tenant.key, {
      body: { userId: 'a', content: 'met Anna' },
    })
    expect([statusCode, JSON.parse(body).receipt.owed]).toEqual([201, expect.arrayContaining(['embedding', 'entities'])])
  })

  test('a Postgres that never answers is told as a timeout while somebody still listens', { timeout: 60_000 }, async () => {
    const tenant = await on.here.tenant()
    const its = await open('memories.list', { timeoutMs: 29_000 })
    expect((await ask(its, 'memories.list', tenant.key, { query: 'limit=1' })).statusCode).toBe(200)
    on.database.decide = () => 'hang'
    const { statusCode, body } = await ask(its, 'memories.list', tenant.key, { query: 'limit=1' })
    expect([503, 504]).toContain(statusCode)
    expect(['unavailable', 'timeout']).toContain(JSON.parse(body).code)
    // The same container serves the next as if nothing had been.
    on.database.decide = undefined
    expect((await ask(its, 'memories.list', tenant.key, { query: 'limit=1' })).statusCode).toBe(200)
    expect(its.containers).toHaveLength(1)
  })

  test('a check whose request ends before it goes on by itself', async () => {
    const tenant = await on.here.tenant()
    for (let i = 0; i < 3; i++) await tenant.add({ content: `met Anna ${i}`, waitFor: 'graph' })
    const its = await open('persistence.sync')
    let n = 0
    on.database.decide = () => {
      if (++n !== 4) return 'pass'
      void its.containers.at(-1)?.kill()
      return 'cut after'
    }
    await expect(ask(its, 'persistence.sync', tenant.key, { body: { operation: 'check' } })).rejects.toThrow()
    on.database.decide = undefined
    const [begun] = await on.here.owner(
      `update twofold.sync_runs r set leased_until = now() - interval '1 second' from twofold.tenants t
      where t.id = r.tenant_id and t.uuid = $1 and r.ended_at is null returning r.id`,
      [tenant.id],
    )
    const parameters = { runId: begun?.id as string }
    expect(await (await on.open('schedules/runs.ts')).invoke({})).toMatchObject({ runs: { failed: 0 } })
    const { statusCode, body } = await ask(await open('persistence.sync_run'), 'persistence.sync_run', tenant.key, { parameters })
    expect([statusCode, JSON.parse(body)]).toMatchObject([200, { done: true, status: 'success', result: { totalChecked: 3 } }])
  })
})
