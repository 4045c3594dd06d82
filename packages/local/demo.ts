import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Remembered } from '@twofold/core/memories/memory.ts'
import type { SearchResult } from '@twofold/core/memories/search.ts'
import { caller } from './call.ts'
import { startService } from './keep.ts'
import { tour } from './tour.ts'

/** The first start's proof and more, in a store that is thrown away. */
const say = (line = '') => process.stdout.write(`${line}\n`)
const home = await mkdtemp(join(tmpdir(), 'twofold-demo-'))
const service = await startService({ home, port: 0, variables: process.env, log: (message) => process.stderr.write(`${message}\n`) })
try {
  await tour(service, say)
  const call = caller(service.url, service.key)
  const place = { userId: 'alice' }

  say('A fact that changes keeps its past:')
  const { memory } = await call<Remembered>('POST', '/v1/memories', { ...place, content: 'The office is in Lisbon.', waitFor: 'graph' })
  await call('PATCH', `/v1/memories/${memory.id}`, { content: 'The office is in Porto.' })
  const ask = async (more: object) =>
    (await call<SearchResult>('POST', '/v1/memories/search', { ...place, query: 'Where is the office?', limit: 1, ...more })).results[0]
      ?.memory.content
  say(`  now: ${await ask({})}`)
  say(`  as of the first version: ${await ask({ asOf: memory.createdAt })}`)

  say('The same request twice is one memory:')
  const once = { 'idempotency-key': 'demo-1' }
  const twice = [1, 2].map(() => call<Remembered>('POST', '/v1/memories', { ...place, content: 'Prefers tea.' }, once))
  say(`  ${new Set((await Promise.all(twice)).map((each) => each.memory.id)).size} memory for ${twice.length} requests`)

  say('What the graph connects:')
  await call('POST', '/v1/memories', { ...place, content: 'John Smith works at Acme Corporation.', waitFor: 'graph' })
  await call('POST', '/v1/memories', { ...place, content: 'Acme Corporation is looking for a new office.', waitFor: 'graph' })
  const { nodes } = await call<{ nodes: { kind: string; value?: string; content?: string }[] }>('POST', '/v1/graph/query', {
    start: { type: 'person', value: 'John Smith' },
    hops: 3,
    namespacePrefix: 'user:alice',
  })
  for (const node of nodes) say(`  ${node.kind}: ${node.value ?? node.content}`)

  say('Deleted means deleted:')
  await call('DELETE', `/v1/memories/${memory.id}?hard=true`)
  const gone = await fetch(`${service.url}/v1/memories/${memory.id}/history`, { headers: { authorization: `Bearer ${service.key}` } })
  say(`  its history answers ${gone.status}; a search finds: ${(await ask({ mode: 'text', query: 'office Porto Lisbon' })) ?? 'nothing'}`)
} finally {
  await service.close()
  await rm(home, { recursive: true, force: true })
}
