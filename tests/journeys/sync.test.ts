import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Client, client } from '../client.ts'
import { KEY, makeHome, type Process, run, start } from '../process.ts'
import { openParts } from '../real/parts.ts'

/** What whoever runs it asks from a terminal: do both stores agree, and make them. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const COMMAND = fileURLToPath(new URL('../../packages/local/sync.ts', import.meta.url))
const VECTOR = Array.from({ length: 384 }, (_, i) => (i === 0 ? 1 : 0))

let away: () => Promise<void>
let service: Process
let asks: Client
beforeAll(async () => {
  const parts = process.env.TEST_SQS_URL ? await openParts() : null
  const home = parts ? { path: await parts.home(), remove: parts.close } : await makeHome()
  away = home.remove
  service = await start(home.path, { ...parts?.postgres, ...parts?.redis, ...parts?.neo4j, ...parts?.queue })
  asks = client(service.url, KEY)
  for (let i = 0; i < 3; i++) {
    const body = { userId: 'alice', content: `Fact ${i} about Ada`, embedding: VECTOR, extractEntities: false, waitFor: 'graph' }
    expect((await asks.post('/v1/memories', { ...body, entities: [{ type: 'person', value: 'Ada' }] })).status).toBe(201)
  }
})
afterAll(async () => {
  await service.end('SIGTERM')
  await away()
})

async function sync(args: string, variables: Record<string, string> = { TWOFOLD_API_KEY: KEY, TWOFOLD_URL: service.url }) {
  const { code, stdout: out, stderr: err } = await run(COMMAND, args.split(' '), variables).ended
  return { code, out, err }
}

test.each(['check', 'check --deep', 'repair', 'full', 'rebuild --user alice', 'rebuild --dry-run', 'rebuild --keep'])(
  '%s of stores that agree ends with 0 and says what it looked at',
  async (args) => {
    const { code, out, err } = await sync(args)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(
      /: success after [\d.]+ s \(run [0-9a-f-]{36}\)\n {2}3 memories checked, 0 inconsistencies listed, 0 repaired, 0 failed, 0 on their way\n$/,
    )
  },
)

test('a rebuild of everything leaves everything connected', async () => {
  const { code, out } = await sync('rebuild')
  expect([code, out]).toEqual([0, expect.stringContaining('rebuild: success')])
  const { json } = await asks.post('/v1/graph/query', { start: { value: 'Ada' }, hops: 1 })
  expect(json.nodes.filter((node: any) => node.kind === 'memory')).toHaveLength(3)
})

test('a run is followed by its id, and its last answer told as JSON', async () => {
  const answer = JSON.parse((await sync('check --json')).out)
  expect(answer).toMatchObject({ status: 'success', operation: 'check', done: true })
  expect((await sync(`--run ${answer.runId}`)).out).toContain(`check: success`)
  expect((await sync(`--run ${answer.runId} --stop`)).out).toContain(`check: success`)
})

test.each([
  ['explode', '"explode" is none of check, repair, full, rebuild.'],
  ['check --surprise', "Unknown option '--surprise'"],
  ['check --prefix nowhere', 'namespacePrefix: must be one of the roots'],
  ['check --user a --prefix user:b', 'must not name both userId and namespacePrefix'],
  ['check --limit 0', 'limit:'],
  ['--run 01900000-0000-7000-8000-000000000001', 'There is no such run.'],
])('%s is refused with what is wrong, and ends with 2', async (args, says) => {
  const { code, out, err } = await sync(args)
  expect([code, out]).toEqual([2, ''])
  expect(err).toContain(says)
})

test('without a service or a key it says where it looked', async () => {
  expect((await sync('check', { TWOFOLD_API_KEY: KEY, TWOFOLD_URL: 'http://127.0.0.1:9' })).err).toContain(
    'No service answers at http://127.0.0.1:9',
  )
  expect((await sync('check', { TWOFOLD_HOME: '/nowhere' })).err).toContain('there is no key in /nowhere/key')
})
