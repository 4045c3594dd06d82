import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgres, openRedis, servers, startKept, stateOf } from './servers.ts'

const redis = servers.find(({ name }) => name === 'redis')!
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twofold-servers-'))
})
afterAll(() => rm(folder, { recursive: true }))

const clientOf = (url: string) => createClient({ url })

async function asked<T>(url: string, work: (client: ReturnType<typeof clientOf>) => Promise<T>): Promise<T> {
  const client = clientOf(url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

async function queried(url: string, query: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(query)).rows
  } finally {
    await client.end()
  }
}

const env = () => ({ ...process.env, TWOFOLD_SERVERS_DATA: join(folder, 'kept'), TWOFOLD_SERVERS_REDIS_PORT: '0' })
const quiet = () => undefined

test('two that start the same server at once get the same one, and stopped it is gone', async () => {
  const both = await Promise.all([startKept(redis, env(), quiet), startKept(redis, env(), quiet)])
  expect(both.map(({ started }) => started).sort()).toEqual([false, true])
  const { running } = both[0]!
  expect(both[1]!.running.pid).toBe(running.pid)
  expect(stateOf(redis, env())).toMatchObject({ state: 'running', running: { url: running.url } })
  await running.stop()
  expect(stateOf(redis, env())).toEqual({ state: 'stopped' })
  expect(() => process.kill(running.pid, 0)).toThrow('ESRCH')
})

test('killed, it is started again on the same data and port', async () => {
  const own = { folder: join(folder, 'killed'), durable: true }
  const first = await openRedis(own)
  await asked(first.url, (client) => client.set('a', 'acknowledged'))
  await expect(openRedis(own)).rejects.toThrow(`redis runs already on ${own.folder} (pid ${first.pid})`)
  await first.kill()
  const second = await openRedis({ ...own, port: first.port })
  expect(second.url).toBe(first.url)
  expect(await asked(second.url, (client) => client.get('a'))).toBe('acknowledged')
  await second.stop()
})

test('paused, it keeps its connections and answers nothing until it goes on; a paused one can be stopped', async () => {
  const server = await openRedis({ folder: join(folder, 'paused') })
  await asked(server.url, async (client) => {
    server.pause()
    let answered = false
    const answer = client.ping().then((said) => {
      answered = true
      return said
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(answered).toBe(false)
    server.resume()
    expect(await answer).toBe('PONG')
  })
  server.pause()
  await server.stop()
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
})

test('Postgres keeps what it acknowledged through kill -9, in a folder that is closed to others', async () => {
  const own = { folder: join(folder, 'postgres'), durable: true }
  const first = await openPostgres(own)
  await queried(first.url, 'create table kept as select 7 as number')
  await first.kill()
  const second = await openPostgres({ ...own, port: first.port })
  expect(await queried(second.url, 'select number from kept')).toEqual([{ number: 7 }])
  await second.stop()
  expect(await readdir(join(folder, 'postgres'))).toContain('data')
})

test('a server that ends at start is reported with the last of what it said', async () => {
  const open = openRedis({ folder: join(folder, 'wrong'), settings: { 'no-such-setting': 'yes' } })
  await expect(open).rejects.toThrow(/redis ended at start[\s\S]*no-such-setting/)
})
