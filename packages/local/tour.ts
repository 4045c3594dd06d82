import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Remembered } from '@twofold/core/memories/memory.ts'
import type { SearchResult } from '@twofold/core/memories/search.ts'
import type { Status } from '@twofold/core/status/status.ts'
import { type Call, caller } from './call.ts'
import type { Service } from './keep.ts'

interface Conversation {
  title: string
  turns: { speaker: string; at: string; text: string }[]
}
interface Question {
  question: string
  by: string
}

const read = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(new URL(`../../examples/${name}.json`, import.meta.url), 'utf8')) as T

/** How long the graph may take to follow before the tour says that it did not. */
const PATIENCE_MS = 30_000
const NAMESPACE = 'project:welcome'

/**
 * Proves on an empty store that it works, over the same HTTP that everybody uses: a conversation remembered, the
 * graph caught up, three questions answered. In a tenant of its own, so that the user's stays empty.
 */
export async function tour(service: Pick<Service, 'url' | 'tenant' | 'composed'>, say: (line?: string) => void): Promise<void> {
  const { deps } = service.composed
  const key = deps.secret()
  await service.tenant('welcome', key)
  const call = caller(service.url, key)
  const [conversation, questions] = await Promise.all([read<Conversation>('conversation'), read<Question[]>('questions')])
  say(`The store is new, so first it proves itself: "${conversation.title}", ${conversation.turns.length} turns.`)
  say()

  const items = conversation.turns.map(({ speaker, at, text }) => ({
    namespace: NAMESPACE,
    content: text,
    speaker,
    occurredAt: at,
    type: 'episodic',
  }))
  const stored = await timed(() => call<{ items: (Remembered & { ok: boolean })[] }>('POST', '/v1/memories/batch', { items }))
  const kept = stored.value.items.filter((item) => item.ok)
  say(`  Remembered ${kept.length} of ${items.length} turns in Postgres in ${seconds(stored.ms)}, embedded by ${deps.embedder.model}.`)
  const agreed = await timed(() => agreement(call))
  const { totalMemories, graphStoreCount, owedGraphWrites, owedEmbeddings } = agreed.value.metrics
  const agree = totalMemories === graphStoreCount && owedGraphWrites === 0 && owedEmbeddings === 0
  say(
    `  ${agree ? 'Both stores agree' : 'The stores do not agree yet'}: ${totalMemories} memories in Postgres, ${graphStoreCount} in the graph, ${owedGraphWrites} owed, ${seconds(agreed.ms)} later.`,
  )
  const first = kept[0]
  if (first) say(`  A receipt: ${receiptLine((await call<Remembered>('GET', `/v1/memories/${first.memory.id}`)).receipt)}`)
  say()

  for (const { question, by } of questions) {
    const query = { namespace: NAMESPACE, query: question, limit: 3, expand: { hops: by === 'connection' ? 2 : 0 } }
    const found = await timed(() => call<SearchResult>('POST', '/v1/memories/search', query))
    const [best] = found.value.results
    const connected = found.value.results.find((result) => result.via?.from === best?.memory.id)
    say(`  ${question}  (by ${by}, ${Math.round(found.ms)} ms)`)
    say(best ? `    ${best.memory.speaker}: ${best.memory.content}` : '    nothing found')
    if (connected) say(`    connected to it: ${connected.memory.speaker}: ${connected.memory.content}`)
  }
  say()
}

/** The status once nothing is owed any more, or when patience ends. */
async function agreement(call: Call): Promise<Status> {
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(50)) {
    const status = await call<Status>('GET', '/api/persistence/status')
    if (status.metrics.owedGraphWrites + status.metrics.owedEmbeddings === 0 || performance.now() > end) return status
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now()
  return { value: await work(), ms: performance.now() - start }
}

const seconds = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

const receiptLine = ({ stores }: Remembered['receipt']) =>
  `vector ${stores.vector.state}, version ${stores.vector.version}; graph ${stores.graph.state}, version ${stores.graph.version}.`
