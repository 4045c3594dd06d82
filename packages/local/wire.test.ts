import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { neon, neonConfig } from '@neondatabase/serverless'
import { sqs } from '@twofold/functions/queues/sqs.ts'
import { Redis } from '@upstash/redis'
import { expect, test } from 'vitest'
import { openWire, type WireOptions } from './wire.ts'

const signal = new AbortController().signal

test('one server gives SQL, Redis and queues to who knows the secret, and what was kept outlives it', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twofold-wire-'))
  const options: WireOptions = {
    folder,
    redisBytes: 1_000_000,
    queues: { work: { visibilityMs: 30_000 } },
    secret: 'a-secret',
    log: console.error,
  }
  let wire = await openWire(options)
  try {
    expect(wire.store?.created).toBe(true)
    neonConfig.fetchEndpoint = wire.database.fetchEndpoint
    await neon(wire.database.url)`create table kept as select 1 as one`
    await expect(neon(wire.database.url.replace('a-secret', 'another'))`select 1`).rejects.toMatchObject({ code: '28P01' })
    const redis = new Redis({ ...wire.redis, retry: false, enableTelemetry: false })
    await redis.set('a', 'b', { ex: 60 })
    expect(await redis.get('a')).toBe('b')
    await sqs({ ...wire.sqs, url: wire.sqs.urlOf('work') })('SendMessage', { MessageBody: 'left behind' }, signal)
    expect((await fetch(`${wire.url}/nothing`)).status).toBe(404)
    const tooMuch = await fetch(`${wire.url}/redis`, { method: 'POST', body: Buffer.alloc(17 * 1024 * 1024) })
    expect([tooMuch.status, await tooMuch.json()]).toEqual([413, { error: 'ERR max request size exceeded' }])

    await wire.close()
    wire = await openWire(options)
    expect(wire.store?.created).toBe(false)
    expect(await wire.sql('select one from kept')).toEqual([{ one: '1' }])
    const received = await sqs({ ...wire.sqs, url: wire.sqs.urlOf('work') })('ReceiveMessage', { WaitTimeSeconds: 1 }, signal)
    expect(received).toMatchObject({ Messages: [{ Body: 'left behind' }] })
  } finally {
    await wire.close()
    await rm(folder, { recursive: true })
  }
})

test('what cannot be opened is an error that leaves nothing open', async () => {
  const options = { folder: null, redisBytes: 1, queues: {}, secret: 's', log: () => undefined }
  await expect(openWire({ ...options, databaseUrl: 'postgresql://nobody@127.0.0.1:1/nothing' })).rejects.toThrow('ECONNREFUSED')
})
