import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { all, type Client, client } from '../client.ts'
import { KEY, launch, makeHome, start, troubles } from '../process.ts'
import { random } from '../random.ts'
import { Writer } from './writer.ts'

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let home: Awaited<ReturnType<typeof makeHome>>
beforeAll(async () => {
  home = await makeHome()
})
afterAll(() => home.remove())

test('told to stop under load it ends with code 0, refuses nothing it answered and loses nothing it acknowledged', async () => {
  const writers = Array.from({ length: 4 }, (_, i) => new Writer(`writer${i}`, random(i)))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const service = await start(home.path)
    const asks = client(service.url, KEY)
    if (signal === 'SIGINT') await expectAllThere(asks, writers)
    const running = writers.map((writer) => writer.run(asks))
    const enough = writers.map(({ acknowledged }) => acknowledged + 4)
    while (writers.some(({ acknowledged }, i) => acknowledged < (enough[i] as number))) await sleep(5)
    // A terminal and npm both pass it on.
    process.kill(service.pid, signal)
    const end = await service.end(signal)
    expect(end).toMatchObject({ code: 0, signal: null })
    expect(troubles(end)).toEqual([])
    await Promise.all(running)
    expect(writers.flatMap(({ surprises }) => surprises)).toEqual([])
  }
  const service = await start(home.path)
  await expectAllThere(client(service.url, KEY), writers)
  await service.end('SIGTERM')
})

/** And settles what was in flight by asking again. */
async function expectAllThere(asks: Client, writers: readonly Writer[]): Promise<void> {
  for (const writer of writers) {
    // Stopping lets a request in rollback mode come to its end, so none is left undecided.
    if (writer.inFlight) writer.inFlight.learn(await writer.inFlight.send(asks))
    writer.inFlight = null
    expect(writer.surprises).toEqual([])
  }
  const found = (await all(asks, '/v1/memories')).map(({ id, version }) => `${id} ${version}`)
  const known = writers.flatMap((writer) => [...writer.known.values()]).filter(({ state }) => state === 'live')
  expect(found.sort()).toEqual(known.map(({ id, version }) => `${id} ${version}`).sort())
}

test('a second start on one home is refused with the process that has it, and one on a taken port with the port; what is misspelt is named and stops nothing', async () => {
  const service = await start(home.path, { TWOFOLD_OPERATR_KEY: 'operator-key-of-the-test' })
  const second = await launch({ TWOFOLD_HOME: home.path }).ended
  expect(second).toMatchObject({ code: 1, stdout: '' })
  expect(second.stderr).toMatch(/^[^\n]+ is held by the running process \d+; stop it first, or use another folder\n$/)
  expect(second.stderr).toContain(` ${service.pid};`)
  const other = await makeHome()
  const { port } = new URL(service.url)
  const taken = await launch({ TWOFOLD_HOME: other.path, PORT: port }).ended
  expect(taken).toMatchObject({ code: 1, stdout: '' })
  expect(taken.stderr).toMatch(new RegExp(`^PORT ${port} is taken by another process; [^\\n]+\\n$`))
  await other.remove()
  expect((await client(service.url, KEY).get('/v1/health/ready')).status).toBe(200)
  // What another process needs to join, and secrets with it.
  expect(await readFile(`${home.path}/join`, 'utf8')).toMatch(/^DATABASE_URL=/m)
  expect(troubles(await service.end('SIGTERM'))).toEqual(['TWOFOLD_OPERATR_KEY is read by nobody; TWOFOLD_OPERATOR_KEY is probably meant.'])
})

test('a configuration that cannot be used is refused before anything is made, with one line for each variable', async () => {
  const bad = {
    NEO4J_URI: 'http://neo4j:hunter2@127.0.0.1:7474',
    RETRY_ATTEMPTS: '0',
    RETRY_DELAY_MS: 'soon',
    ENABLE_GRAPH_STORE: 'maybe',
    ROLLBACK_ON_PARTIAL_FAILURE: 'yes',
    ENABLE_AUTO_SYNC: 'sometimes',
    SYNC_INTERVAL_MS: '5m',
    RELAY_INTERVAL_MS: '99',
    POISON_INTERVAL_MS: '86400001',
    NIGHTLY_HOUR: '24',
    EMBEDDING_MODEL: 'the best one',
    LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://root:hunter2@127.0.0.1/twofold',
    UPSTASH_REDIS_REST_URL: 'redis.example',
    TWOFOLD_OPERATOR_KEY: 'short',
  }
  const [one, port] = await Promise.all([
    launch({ TWOFOLD_HOME: `${home.path}/bad`, ...bad }).ended,
    launch({ TWOFOLD_HOME: `${home.path}/bad`, PORT: '70000' }).ended,
  ])
  expect(one).toMatchObject({ code: 1, stdout: '' })
  const lines = one.stderr.trimEnd().split('\n').slice(1)
  expect(lines.map((line) => line.trim().split(' ')[0]).sort()).toEqual(Object.keys(bad).sort())
  for (const line of lines) expect(line).toMatch(/^ {2}\w+ is .+; allowed is .+\.$/)
  expect(one.stderr).not.toMatch(/hunter2|short/)
  expect(port).toMatchObject({ code: 1, stdout: '', stderr: 'PORT is "70000"; allowed is a whole number from 0 to 65535.\n' })
  await expect(readFile(`${home.path}/bad/lock`)).rejects.toThrow('ENOENT')
})
