import { raw } from '@twofold/core/sql.ts'
import { INTERVALS } from '@twofold/functions/env.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { caughtUp, client, eventually } from '../client.ts'
import { KEY, makeHome, ownerOf, type Process, start } from '../process.ts'
import { vectorOf } from '../random.ts'

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let home: Awaited<ReturnType<typeof makeHome>>
let service: Process
beforeEach(async () => {
  home = await makeHome()
})
afterEach(async () => {
  await service.end('SIGTERM')
  await home.remove()
})

const rows = async (query: string) => (await (await ownerOf(home.path))([raw(query)]))[0] ?? []
const ended = async () =>
  (await rows('select name from twofold.schedules where ended_at is not null and failure is null order by 1')).map((row) => row.name)
const names = schedules.map(({ declared }) => declared.name).sort()

test('on one machine every schedule wakes up by itself', async () => {
  service = await start(home.path)
  expect(await eventually(ended, (done) => done.length === names.length)).toEqual(names)
})

test('where nobody is to compare the stores by himself, all others do', async () => {
  service = await start(home.path, { ENABLE_AUTO_SYNC: 'false' })
  const others = names.filter((name) => name !== 'sync' && name !== 'nightly')
  expect(await eventually(ended, (done) => done.length === others.length)).toEqual(others)
})

test('what a killed process held is free for the next one at once, since nobody else has its store', async () => {
  const slow = Object.fromEntries(Object.keys(INTERVALS).map((name) => [name, '3600000']))
  service = await start(home.path, slow)
  await eventually(ended, (done) => done.length === names.length)
  await rows(`update twofold.schedules set holder = gen_random_uuid(), held_until = now() + interval '1 hour'`)
  const { json } = await client(service.url, KEY).post('/v1/memories', {
    userId: 'alice',
    content: 'x',
    embedding: vectorOf('x'),
    extractEntities: false,
  })
  await rows(`update twofold.ledger set shown = 0 where id = '${json.memory.id}'`)
  await rows('delete from queue.messages')
  await rows('update schedules.leases set leased_until = now(), due_at = now()')
  await service.end('SIGKILL')
  service = await start(home.path)
  expect((await caughtUp(client(service.url, KEY))).metrics).toMatchObject({ owedGraphWrites: 0 })
  expect(await rows("select name from twofold.schedules where holder is not null and held_until > now() + interval '10 minutes'")).toEqual(
    [],
  )
})
