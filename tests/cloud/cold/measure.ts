import { byTurns, type Latency, latency } from '@twofold/bench/measure.ts'
import { eventOf } from '@twofold/functions/calls.fixture.ts'
import { bundle, bundles } from '../bundle.ts'
import { type Container, startContainer } from '../runtime/container.ts'
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
  /** What it computes until then. */
  cpu: Latency
}

/** A deployment that has everything, none of which is there: an init asks nothing of a store. */
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

/** Where everything needed stands: AWS's runtime client, and a folder for bundles. */
export interface Bench {
  program: string
  folder: string
}

const settingsOf = (program: string, bundle: string) => ({
  ...{ program, bundle, variables: CONFIGURED, timeoutMs: 30_000, memoryMb: 1024, freezes: false },
})

/** Starts each of these by turns, so many times, so that whatever else the machine does meanwhile slows each alike. */
export async function coldStarts({ program, folder }: Bench, files: readonly string[], rounds: number): Promise<Cold[]> {
  const made = await bundles(files)
  const settings = await Promise.all(made.map(async ({ entry }) => settingsOf(program, await bundle(entry, folder))))
  const seen = made.map((): Container[] => [])
  // The first round reads the files from the disk.
  for (let round = 0; round <= rounds; round++) {
    for (const [i, its] of settings.entries()) {
      const container = await startContainer(its)
      await container.kill()
      if (round > 0) seen[i]?.push(container)
    }
  }
  return made.map(({ entry, bytes, started }, i) => {
    const containers = seen[i] as Container[]
    const cpu = containers.map(({ initCpuMs, initMs }) => initCpuMs ?? initMs)
    return { entry, bytes, started, init: latency(containers.map(({ initMs }) => initMs)), cpu: latency(cpu) }
  })
}

/** What an event costs in a container that is warm: nothing but the runtime, and the operation layer beside it. */
export async function warm({ program, folder }: Bench, rounds: number): Promise<{ empty: Latency; layer: Latency }> {
  const open = async (file: string) => lambdaFunction(settingsOf(program, await bundle(file, folder)))
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
