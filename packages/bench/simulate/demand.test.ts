import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Hosted, hosted, type Tenant } from '../../../tests/hosted.ts'
import { ASKED, type Kind } from './demand.ts'

/** What one request asks of the parts, counted on its way to them. */

const sent: string[] = []
const queue = createServer(async (request, response) => {
  sent.push(await text(request))
  response.setHeader('content-type', 'application/x-amz-json-1.0')
  response.end('{"Successful":[],"Failed":[]}')
})
let service: Hosted
let tenant: Tenant
beforeAll(async () => {
  await new Promise<void>((resolve) => queue.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(queue.address() as AddressInfo).port}`
  const key = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }
  service = await hosted({}, { GRAPH_QUEUE_URL: `${url}/1/graph-writes`, AWS_ENDPOINT_URL_SQS: url, ...key })
  tenant = await service.tenant()
  // The first request with a key notes that it is in use.
  for (const kind of ['write', 'search'] as const) await ask(kind, 'warm')
})
afterAll(async () => {
  await service.close()
  queue.close()
})

async function ask(kind: Kind, words: string): Promise<void> {
  const entities = [
    { type: 'person', value: `${words} Ada` },
    { type: 'place', value: `${words} Turin` },
  ]
  const { status } =
    kind === 'write'
      ? await tenant.post('/v1/memories', { userId: 'alice', content: `${words} is what she said`, extractEntities: false, entities })
      : await tenant.post('/v1/memories/search', { userId: 'alice', query: `${words}?` })
  expect([200, 201]).toContain(status)
  // As every function of the cloud does before it answers.
  await service.deps.audit.flush()
}

const commandsIn = (body: string): number => {
  const asked = JSON.parse(body)
  return Array.isArray(asked[0]) ? asked.length : 1
}

test.each(['write', 'search'] as const)('a %s asks of each part what the simulation takes it to ask', async (kind) => {
  service.database.seen = []
  service.redis.seen = []
  sent.length = 0
  await ask(kind, `a new ${kind}`)
  expect({
    postgres: service.database.seen.length,
    redis: service.redis.seen.reduce((sum, { body }) => sum + commandsIn(body), 0),
    sqs: sent.length,
  }).toEqual(ASKED[kind])
})
