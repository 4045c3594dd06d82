import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Answer, all, type Client } from '../../client.ts'
import { random } from '../../random.ts'
import { type InFlight, type Known, Writer } from '../writer.ts'
import { bothSides, DIMENSIONS, recovered, type Scene } from './stores.ts'

/** Writers at once, who go on whatever the graph does and remember what they were told. */
export class Crowd {
  readonly writers: readonly Writer[]
  #stopping = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(size: number, seed: number) {
    this.writers = Array.from({ length: size }, (_, i) => new Writer(`writer${i}`, random(seed + i), DIMENSIONS))
  }

  get acknowledged(): number {
    return this.writers.reduce((sum, writer) => sum + writer.acknowledged, 0)
  }

  get live(): Known[] {
    return this.writers.flatMap(({ known }) => [...known.values()]).filter(({ state }) => state === 'live')
  }

  go(asks: Client): void {
    this.#stopping = false
    const until = () => this.#stopping
    this.#running = Promise.all(this.writers.map((writer) => writer.run(asks, { until, unavailable, pauseMs: 20 })))
  }

  /** Until so many more have been answered, all of which the writers can tell. */
  async reach(more: number): Promise<void> {
    for (const enough = this.acknowledged + more; this.acknowledged < enough; ) await sleep(5)
  }

  async rest(): Promise<void> {
    this.#stopping = true
    await this.#running
    expect(this.writers.flatMap(({ surprises }) => surprises)).toEqual([])
  }
}

/** Only what the graph was to decide may be refused while the graph is away, and says that nothing of it is left. */
async function unavailable({ status, json, headers }: Answer, { pending }: InFlight): Promise<'again' | 'refused' | undefined> {
  if (status === 409 && json.code !== 'in_progress') return undefined
  if (status === 503 && pending && /nothing was stored/.test(json.detail) && headers.get('retry-after')) return 'refused'
  if (status === 503) return undefined
  await sleep(100)
  return 'again'
}

/** Nothing is owed, nothing was parked, both stores hold the same to the last edge, and all of it is what the writers were told. */
export async function expectAgreement(it: Scene, crowd: Crowd): Promise<void> {
  const { metrics } = await recovered(it.asks)
  expect(metrics).toMatchObject({ owedGraphWrites: 0, owedEmbeddings: 0, owedEntities: 0, deadLetters: 0, syncPercentage: 100 })
  const found = await all(it.asks, '/v1/memories')
  const told = new Set(crowd.live.map(({ id, version }) => `${id} ${version}`))
  const kept = new Set(found.map(({ id, version }) => `${id} ${version}`))
  expect([...told].filter((one) => !kept.has(one))).toEqual([])
  const refused = new Set(crowd.writers.flatMap((writer) => writer.refused))
  expect(found.filter(({ content }) => refused.has(content))).toEqual([])
  const gone = new Set(crowd.writers.flatMap(({ known }) => [...known.values()].flatMap(({ id, state }) => (state === 'live' ? [] : [id]))))
  expect(found.filter(({ id }) => gone.has(id))).toEqual([])
  const { postgres, graph } = await bothSides(it)
  expect(graph.length).toBe(postgres.length)
  expect(graph).toEqual(postgres)
  expect(graph.filter((one) => gone.has(JSON.parse(one).id))).toEqual([])
}
