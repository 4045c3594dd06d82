import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openNeo4j } from '@twofold/servers/servers.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ada, entity, first } from '../contract/scene.ts'
import { realScenes } from './scenes.fixture.ts'

const { scene } = realScenes()
let folder: string
let server: Awaited<ReturnType<typeof openNeo4j>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twofold-test-'))
  // A database is made by its first start, which one that is read-only cannot.
  await (await openNeo4j({ folder })).stop()
  server = await openNeo4j({ folder, settings: { 'server.databases.default_to_read_only': 'true' } })
}, 400_000)
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true })
})

test('a Neo4j that takes no writes is there and not healthy; what it is to write stays owed', async () => {
  const { url: uri, username, password } = server
  const { graph, tenant } = await scene({ uri, username, password, database: 'neo4j' })
  await expect
    .poll(() => graph.health(), { timeout: 100_000, interval: 1_000 })
    .toMatchObject({ available: true, healthy: false, breaker: 'closed' })
  const refused = { name: 'GraphStoreError', retryable: true }
  await expect(graph.apply(tenant, [entity(ada, 'Ada')], { ...first, timeoutMs: 20_000 })).rejects.toMatchObject(refused)
})
