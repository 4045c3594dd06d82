import { byTurns, type Latency, latency } from '@twofold/bench/measure.ts'
import { eventOf } from '@twofold/functions/calls.fixture.ts'
import { type Bundle, bundle } from '../bundle.ts'
import { type Settings, startContainer } from '../runtime/container.ts'
import { lambdaFunction } from '../runtime/function.ts'

/** The least that answers over HTTP, and the operation layer with nothing behind it. */
export const EMPTY = 'tests/cloud/cold/empty.ts'
const LAYER = 'tests/cloud/cold/layer.ts'

export interface Cold {
  /** Its file, from the root. */
  entry: string
  /** Of the bundle, and of what of it is loaded with its first module. */
  bytes: number
  started: number
  /** From the start of its process until it asks for its first event. */
  init: Latency
  /** What it computes until then, and what until it has answered its first event. */
  cpu: Latency
  answered: Latency
}

/** A deployment that has everything. Of that a database and a model are there when events are to be answered; Redis and Neo4j refuse, which some events are told. */
const CONFIGURED = {
  DATABASE_URL: 'postgresql://twofold:secret@127.0.0.1:9/twofold',
  DATABASE_HTTP_URL: 'http://127.0.0.1:9/sql',
  UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:9/redis',
  UPSTASH_REDIS_REST_TOKEN: 'secret',
  NEO4J_URI: 'bolt://127.0.0.1:9',
  NEO4J_PASSWORD: 'secret',
  GRAPH_QUEUE_URL: 'http://127.0.0.1:9/graph-writes',
  INGEST_QUEUE_URL: 'http://127.0.0.1:9/ingest',
  EMBEDDING_MODEL: 'openai:text-embedding-3-small',
  LANGUAGE_MODEL: 'openai:gpt-5-mini',
  OPENAI_API_KEY: 'secret',
  LOG_LEVEL: 'silent',
}

/** Whether an event failed. That the graph cannot be reached is what there is to say of it here. */
const failed = (answer: string): boolean => {
  const { statusCode, body } = JSON.parse(answer)
  return statusCode >= 500 && !JSON.parse(body).detail.startsWith('The graph cannot be reached')
}

/** Where everything needed stands: AWS's runtime client, a folder for bundles, and how the stores are reached that are there. */
export interface Bench {
  program: string
  folder: string
  variables: Record<string, string>
}

/** A function, and its first event. */
export interface First {
  entry: string
  event: object
}

const settingsOf = async ({ program, folder, variables }: Bench, entry: string) => ({
  ...{ program, bundle: await bundle(entry, folder), variables: { ...CONFIGURED, ...variables } },
  ...{ timeoutMs: 30_000, memoryMb: 1024, freezes: false },
})

/** Starts each of these by turns and gives it its event, so many times, so that whatever else the machine does meanwhile slows each alike. */
export async function coldStarts(bench: Bench, sizes: readonly Bundle[], firsts: readonly First[], rounds: number): Promise<Cold[]> {
  const settings = await Promise.all(firsts.map(({ entry }) => settingsOf(bench, entry)))
  const seen = firsts.map(() => ({ init: [] as number[], cpu: [] as number[], answered: [] as number[] }))
  // The first round reads the files from the disk.
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { entry, event }] of firsts.entries()) {
      const container = await startContainer(settings[i] as Settings)
      const { answer, ms } = await container.invoke(JSON.stringify(event))
      const { initMs, initCpuMs } = container
      const cpuMs = container.cpuMs()
      await container.kill()
      if (failed(answer)) throw new Error(`${entry} answered ${answer}`)
      if (round === 0) continue
      seen[i]?.init.push(initMs)
      seen[i]?.cpu.push(initCpuMs ?? initMs)
      seen[i]?.answered.push(cpuMs ?? initMs + ms)
    }
  }
  return firsts.map(({ entry }, i) => {
    const { bytes, started } = sizes.find((each) => each.entry === entry) as Bundle
    const { init, cpu, answered } = seen[i] as (typeof seen)[number]
    return { entry, bytes, started, init: latency(init), cpu: latency(cpu), answered: latency(answered) }
  })
}

/** What an event costs in a container that is warm: nothing but the runtime, and the operation layer beside it. */
export async function warm(bench: Bench, rounds: number): Promise<{ empty: Latency; layer: Latency }> {
  const open = async (file: string) => lambdaFunction(await settingsOf(bench, file))
  const [empty, layer] = [await open(EMPTY), await open(LAYER)]
  const body = { userId: 'alice', content: 'Met John Smith from Acme in Berlin about the launch.', metadata: { from: 'a call' } }
  const event = eventOf({ method: 'post', path: '/v1/memories' }, { key: `tf_${'k'.repeat(43)}`, body })
  const answered = [await empty.invoke(event), await layer.invoke(event)].map(({ statusCode }) => statusCode)
  if (answered.join() !== '200,201') throw new Error(`answered with ${answered}: ${layer.said()}`)
  const asks = { empty: () => empty.invoke(event), layer: () => layer.invoke(event) }
  const samples = await byTurns(asks, { rounds, warm: 300, block: 10 })
  await Promise.all([empty.close(), layer.close()])
  return { empty: latency(samples.empty), layer: latency(samples.layer) }
}
