import { cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { raw } from '@twofold/core/sql.ts'
import { handler as somethingElse } from '@twofold/functions/else.ts'
import { operations } from '@twofold/functions/operations.ts'
import { sqs } from '@twofold/functions/queues/sqs.ts'
import { handler as reference, SCRIPT } from '@twofold/functions/system/reference.ts'
import { apiOf } from '@twofold/local/http/api.ts'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { joinOf, makeHome, ownerOf, type Process, start } from '../process.ts'
import { TOLD } from './deployed.ts'
import { functionsOf, made, routesOf } from './made.ts'

const cloud = inject('prod')
const routes = routesOf(cloud)
const ELSE = 'functions/else.handler'
let home: Awaited<ReturnType<typeof makeHome>>
let service: Process
beforeAll(async () => {
  home = await makeHome()
  service = await start(home.path)
}, 180_000)
afterAll(async () => {
  await service?.end('SIGTERM')
  await home?.remove()
})

const rows = async (query: string) => (await (await ownerOf(home.path))([raw(query)]))[0] ?? []

/** Asks until the answer is this or there is no more patience, and answers the last. */
async function until<T>(ask: () => Promise<T>, enough: (answer: T) => boolean): Promise<T> {
  for (let asked = 0; ; asked++) {
    const answer = await ask()
    if (enough(answer) || asked === 100) return answer
    await sleep(100)
  }
}

test('one machine answers the routes of the cloud and no other', () => {
  const silent = { info() {}, warn() {}, error() {} }
  const { routes: served } = apiOf({ deps: () => Promise.reject(new Error('nobody asks')), asRefusal: () => null, log: silent })
  const here = served.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
  // Where a GET is answered a HEAD is; what is no POST is refused at /mcp.
  const there = [...routes]
    .filter(([route, { handler }]) => !route.startsWith('HEAD ') && handler !== ELSE)
    .map(([route]) => route.replace('ANY /mcp', 'POST /mcp'))
  expect(here.toSorted()).toEqual(there.toSorted())
})

/**
 * What the gateway chooses: of the routes of this method whose path is met the most literal one, else the default
 * (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html).
 */
function chosen(method: string, path: string): string {
  const literal = (route: string) => route.replaceAll(/\{\w+\}/g, '\u{10ffff}')
  const [best] = [...routes.keys()]
    .filter((route) => new RegExp(`^${route.replaceAll(/\{\w+\}/g, '[^/]+').replace('ANY ', '\\w+ ')}$`).test(`${method} ${path}`))
    .sort((a, b) => (literal(a) < literal(b) ? -1 : 1))
  return routes.get(best ?? '$default')?.handler ?? 'nobody'
}

test('a path that stands in the place of an id is asked by the same methods on both', () => {
  const taken = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  const paths = new Set(operations.map(({ path }) => path).filter((path) => !path.includes('{')))
  const asked = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].flatMap((method) => [...paths].map((path) => ({ method, path })))
  const refused = asked.filter(({ method, path }) => chosen(method, path) === ELSE)
  expect(refused).toEqual(asked.filter(({ method, path }) => !taken.includes(`${method.replace('HEAD', 'GET')} ${path}`)))
  expect(chosen('DELETE', '/v1/memories/0192')).toBe('functions/memories/delete.handler')
})

test.each([
  ['DELETE', '/v1/memories/search'],
  ['DELETE', '/v1/conversations/cleanup'],
  ['PUT', '/v1/sessions/one'],
  ['OPTIONS', '/v1/memories'],
  ['GET', '/v1/nowhere'],
  ['POST', '/'],
])('what is no route is refused on both in the same words: %s %s', async (method, path) => {
  for (const name of ['DATABASE_URL', 'EMBEDDING_MODEL', 'LANGUAGE_MODEL'] as const) vi.stubEnv(name, TOLD[name])
  expect(chosen(method, path)).toBe(ELSE)
  const here = await fetch(service.url + path, { method })
  const event = { version: '2.0', rawPath: path, rawQueryString: '', headers: {}, requestContext: { http: { method } } }
  const there = (await somethingElse(event as unknown as APIGatewayProxyEventV2)) as {
    statusCode: number
    headers: Record<string, string>
    body: string
  }
  const { requestId: _, ...problem } = JSON.parse(there.body)
  expect([there.statusCode, there.headers.allow ?? null, problem]).toEqual([
    here.status,
    here.headers.get('allow'),
    withoutId(await here.json()),
  ])
})

const withoutId = ({ requestId: _, ...rest }: any) => rest

test('the script of the docs is the same on both', async () => {
  const script = cloud.built.find(({ handler }) => handler === 'functions/system/reference.handler')
  const folder = await mkdtemp(join(tmpdir(), 'twofold-script-'))
  for (const { from, to } of script?.copyFiles ?? []) await cp(from, join(folder, to))
  const before = process.cwd()
  process.chdir(folder)
  const there = await reference().finally(() => process.chdir(before))
  const here = await fetch(service.url + SCRIPT.path)
  expect([there.statusCode, there.headers['content-type'], there.body]).toEqual([
    here.status,
    here.headers.get('content-type'),
    await here.text(),
  ])
  // What Lambda answers with is JSON of at most 6 MB.
  expect(Buffer.byteLength(JSON.stringify(there))).toBeLessThan(6_000_000)
})

test('one machine runs the schedules of the cloud and no other', async () => {
  const there = [...functionsOf(cloud).values()].flatMap(({ handler }) => /^functions\/schedules\/(.+)\.handler$/.exec(handler)?.[1] ?? [])
  const begun = async () => (await rows('select name from schedules.leases order by name')).map(({ name }) => name)
  expect(await until(begun, ({ length }) => length === there.length)).toEqual(there.toSorted())
})

test('one machine takes messages from the queues from which the cloud does, and keeps the others', async () => {
  const subscribed = made(cloud, 'aws:lambda/eventSourceMapping:EventSourceMapping').map(({ inputs }) =>
    nameOf(inputs.eventSourceArn.split(':').at(-1)),
  )
  const queues = made(cloud, 'aws:sqs/queue:Queue').map(({ name }) => nameOf(name))
  // A round that fails is noted in its own row; on one machine nothing else could be done with it.
  const here = queues.filter((name) => name !== 'schedules-dead')
  const { GRAPH_QUEUE_URL, AWS_REGION, ...keys } = await joinOf(home.path)
  const credentials = { accessKeyId: keys.AWS_ACCESS_KEY_ID as string, secretAccessKey: keys.AWS_SECRET_ACCESS_KEY as string }
  for (const name of here) {
    const url = (GRAPH_QUEUE_URL as string).replace(/[^/]+$/, name)
    const call = sqs({ url, credentials, region: AWS_REGION as string })
    await call('SendMessage', { MessageBody: `nonsense for ${name}` }, AbortSignal.timeout(10_000))
  }
  const untouched = async () =>
    (
      await rows(`select substr(body, 14) as name from queue.messages where body = 'nonsense for ' || queue and receives = 0 order by 1`)
    ).map(({ name }) => name)
  const kept = here.filter((name) => !subscribed.includes(name)).toSorted()
  expect(await until(untouched, ({ length }) => length === kept.length)).toEqual(kept)
})

/** `GraphWritesQueue` in the cloud is `graph-writes` here. */
const nameOf = (resource: string): string =>
  resource
    .replace(/Queue$/, '')
    .replaceAll(/(?<!^)[A-Z]/g, (letter) => `-${letter}`)
    .toLowerCase()
