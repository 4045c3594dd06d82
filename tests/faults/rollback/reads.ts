import type { Tenant } from '@twofold/functions/fixture.ts'

/** Where the stage stands in the graph: what is around the write that is being decided. */
export interface Around {
  /** Of the write. */
  id: string
  /** A memory that mentions Xenia, and the entity. */
  neighbour: string
  xenia: string
  /** The entity that only the write mentions, once it has one. */
  quokka: string | null
}

const LATER = '2999-01-01T00:00:00Z'
const said = { userId: 'alice', query: 'unseen quokka Xenia' }

/** Every way to read. The text, the key, the tags, the entity and the relation of a write in question all say `quokka`. */
const reads = ({ id, neighbour, xenia, quokka }: Around): [method: string, path: string, body?: object][] => [
  ['GET', `/v1/memories/${id}`],
  ['GET', `/v1/memories/${id}?version=1`],
  ['GET', `/v1/memories/${id}?asOf=${LATER}`],
  ['GET', `/v1/memories/${id}/history`],
  ['GET', `/v1/memories/${id}/diff?from=1&to=1`],
  ['GET', '/v1/memories?includeDeleted=true'],
  ['GET', `/v1/memories?userId=alice&asOf=${LATER}`],
  ['GET', '/v1/memories?userId=alice&key=quokka'],
  ['GET', '/v1/memories?tag=quokka'],
  ...['hybrid', 'vector', 'text'].map((mode): [string, string, object] => ['POST', '/v1/memories/search', { ...said, mode }]),
  ['POST', '/v1/memories/search', { ...said, precision: 'exact', tags: ['quokka'] }],
  ['POST', '/v1/memories/search', { ...said, asOf: LATER }],
  ['POST', '/v1/memories/search', { userId: 'alice', query: 'greetings', mode: 'text', expand: { hops: 3 } }],
  ['POST', '/v1/memories/recall', { ...said, memoryTypes: ['commitment', 'note'] }],
  ['GET', '/v1/commitments?status=open'],
  ['POST', '/v1/graph/query', { start: { memoryId: neighbour }, hops: 4 }],
  ['POST', '/v1/graph/query', { start: { memoryId: id }, hops: 1 }],
  ['POST', '/v1/graph/query', { start: { value: 'Quokka' }, hops: 4 }],
  ['GET', '/v1/graph/entities'],
  ['GET', '/v1/graph/entities?q=quokka'],
  ['GET', `/v1/graph/entities/${xenia}/context`],
  ['GET', `/v1/graph/entities/${xenia}/related?hops=4`],
  ['GET', `/v1/graph/entities/${xenia}/related?hops=4&via=MENTIONS`],
  ...(quokka === null ? [] : ['', '/context', '/related'].map((what): [string, string] => ['GET', `/v1/graph/entities/${quokka}${what}`])),
]

/**
 * The reads that give the write away: its words, its id, or what only it connects (Yorick is known to another memory, and
 * only the write relates Xenia to him).
 */
export async function leaks(asks: Tenant, around: Around): Promise<string[]> {
  const found: string[] = []
  for (const [method, path, body] of reads(around)) {
    const { status, text } = await asks.call(method, path, body)
    const asked = `${method} ${path} ${JSON.stringify(body) ?? ''}: ${status} ${text}`
    const connected = /Yorick/.test(text) && /graph\/(query|entities\/)|expand/.test(asked.slice(0, asked.indexOf(': ')))
    const shown = /quokka/i.test(text.replaceAll(/"instance":"[^"]*"/g, '')) || text.includes(around.id) || connected
    if (![200, 404].includes(status) || shown) found.push(asked)
  }
  const { metrics } = (await asks.get('/api/persistence/status')).json
  const counted = { totalMemories: 2, vectorStoreCount: 2, owedEmbeddings: 0, owedEntities: 0 }
  for (const [name, n] of Object.entries(counted)) if (metrics[name] !== n) found.push(`status ${name}: ${metrics[name]}`)
  return found
}
