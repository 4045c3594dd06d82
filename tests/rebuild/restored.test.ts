import { randomUUID } from 'node:crypto'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { migratedDatabase } from '@twofold/functions/fixture.ts'
import { operations } from '@twofold/functions/operations.ts'
import { nightly } from '@twofold/functions/schedules/nightly.ts'
import { relay } from '@twofold/functions/schedules/relay.ts'
import { runs } from '@twofold/functions/schedules/runs.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { sqlEndpoint } from '@twofold/local/sql/endpoint.ts'
import type { TestDatabase } from '@twofold/local/sql/fixture.ts'
import { openPglite } from '@twofold/local/sql/pglite.ts'
import { serve } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { connect } from '@twofold/postgres/connect.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connection } from '../database.ts'

/** Postgres as it was a while ago, beside a graph that knows what came later: what the runbook says of a restore. */

const now = () => new Date()
type Dumping = TestDatabase & { dump(): Promise<Uint8Array<ArrayBuffer>> }
const [tenant, key] = [randomUUID(), `tf_${randomUUID()}`]
const MAKE = "select twofold.make_tenant($1::text::uuid, $1::text, $2::uuid, $3::bytea, now() - interval '2 days')"

const opened: { close(): unknown }[] = []
const open = <T extends { close(): unknown }>(it: T): T => {
  opened.push(it)
  return it
}
let shown: TestDatabase
let before: Dumping
beforeEach(async () => {
  shown = open(await migratedDatabase())
  // Of the embedded store alone, which can be copied as Neon branches.
  before = open((await migratedDatabase()) as Dumping)
  for (const each of [shown, before]) await each.sql(MAKE, [tenant, randomUUID(), `\\x${hashKey(key).toString('hex')}`])
})
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

/** The store as it was when it was copied. */
async function restored(data: Uint8Array<ArrayBuffer>): Promise<{ url: string; fetchEndpoint: string }> {
  const backend = open(await openPglite({ template: data, log: console.error }))
  const url = 'postgresql://owner:test@localhost/twofold'
  const server = open(await listen({ sql: sqlEndpoint({ backend, connectionString: url }) }, { log: console.error }))
  return { url, fetchEndpoint: `${server.url}/sql` }
}

/** The service on this Postgres and the one graph. */
async function serviceOn({ url, fetchEndpoint }: { url: string; fetchEndpoint: string }) {
  const graph = postgresGraph({ db: connect({ url: shown.url, fetchEndpoint: shown.fetchEndpoint, ...connection, now }), now })
  const told = { DATABASE_URL: url, DATABASE_HTTP_URL: fetchEndpoint, LOG_LEVEL: 'silent' }
  const made = open(await compose(readEnv(told), { graph }))
  const app = serve(operations, made.surroundings)
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const response = await app.request(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    return response.json() as Promise<any>
  }
  const { deps } = made
  return {
    ask,
    deps,
    add: async (content: string) => {
      const given = { embedding: Array(384).fill(0.05), extractEntities: false, entities: [{ type: 'person', value: 'Ada' }] }
      return (await ask('POST', '/v1/memories', { userId: 'alice', content, ...given })).memory.id as string
    },
    caughtUp: () => relay(deps)(),
    async sync(operation: string, more: object = {}) {
      let answer = await ask('POST', '/api/persistence/sync', { operation, ...more })
      for (let i = 0; i < 50 && !answer.done; i++) {
        await runs(deps)()
        answer = await ask('GET', `/api/persistence/sync/${answer.runId}`)
      }
      return answer
    },
    around: async () =>
      (await ask('POST', '/v1/graph/query', { start: { value: 'Ada' }, hops: 1 })).nodes.filter((n: any) => n.kind === 'memory'),
  }
}

/** Ten memories, of which a copy is made; then five more, some changed and gone, and the graph rebuilt. Answers the service on the copy. */
async function wentBack() {
  const service = await serviceOn(before)
  const ids: string[] = []
  for (let i = 0; i < 10; i++) ids.push(await service.add(`Ada said ${i}`))
  await service.caughtUp()
  const copy = await before.dump()
  for (let i = 10; i < 15; i++) await service.add(`Ada said ${i}`)
  for (const id of ids.slice(0, 3)) await service.ask('PATCH', `/v1/memories/${id}`, { importance: 9 })
  for (const id of ids.slice(3, 5)) await service.ask('DELETE', `/v1/memories/${id}?hard=true`)
  await service.caughtUp()
  expect(await service.sync('rebuild')).toMatchObject({ status: 'success' })
  expect(await service.around()).toHaveLength(13)
  return serviceOn(await restored(copy))
}

/** Whether the graph is as Postgres says, and shows nothing of what came later. */
async function agreed({ sync, around }: Awaited<ReturnType<typeof wentBack>>): Promise<void> {
  expect((await sync('check', { deep: true })).result).toMatchObject({ totalChecked: 10, inconsistencies: [] })
  expect(await around()).toHaveLength(10)
}

test('after a restore a rebuild makes the graph what Postgres says, whatever it knew of what came later', async () => {
  const service = await wentBack()
  expect(await service.sync('rebuild')).toMatchObject({ status: 'success' })
  await agreed(service)
})

test('of a tenant whose key nobody has, a graph that was emptied is filled by the schedule that looks at everything', async () => {
  const service = await wentBack()
  await shown.sql('truncate graph.nodes, graph.edges')
  await nightly(service.deps)()
  await runs(service.deps)()
  await service.caughtUp()
  await agreed(service)
})
