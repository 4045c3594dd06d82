import { randomUUID } from 'node:crypto'
import { type Answer, type Ask, sweep, type Tenant, type World } from '@twofold/functions/fixture.ts'
import { expect } from 'vitest'
import { type Around, leaks } from './reads.ts'
import type { Stage } from './stage.ts'
import { difference, isCached, type Traces, traces } from './traces.ts'

const quokka = { type: 'animal', value: 'Quokka' }
const xenia = { type: 'person', value: 'Xenia' }
const yorick = { type: 'person', value: 'Yorick' }
const plain = { extractEntities: false, waitFor: 'graph' } as const
export const ONCE = { headers: { 'idempotency-key': 'once' } }

/** A write that the graph decides: it alone mentions Quokka and relates two that others mention too. */
export const writing = (id: string, more: object = {}) => ({
  ...{ id, userId: 'alice', key: 'quokka', content: 'The unseen quokka', kind: 'commitment', tags: ['quokka'], extractEntities: false },
  entities: [quokka, xenia, yorick],
  relations: [
    { from: xenia, type: 'hid_quokka_from', to: yorick },
    { from: quokka, type: 'lives_with', to: xenia },
  ],
  onGraphFailure: 'rollback',
  ...more,
})

/** A tenant in whose stores one such write is decided, with what stood there before. */
export class Scene {
  readonly id = randomUUID()
  readonly here: World
  readonly stage: Stage
  asks!: Tenant
  before!: Traces
  #around!: Around

  constructor(here: World, stage: Stage) {
    this.here = here
    this.stage = stage
  }

  async open(): Promise<this> {
    this.stage.clear()
    this.asks = await this.here.tenant()
    const neighbour = (await this.asks.add({ ...plain, content: 'greetings from Xenia', entities: [xenia] })).id
    await this.asks.add({ ...plain, content: 'regards to Yorick', entities: [yorick] })
    this.#around = { id: this.id, neighbour, xenia: (await this.#entity('Xenia')) as string, quokka: null }
    this.before = await traces(this.here, this.asks)
    this.stage.clear()
    return this
  }

  async #entity(value: string): Promise<string | null> {
    const rows = await this.here.owner(
      `select e.id from twofold.entities e join twofold.tenants t on t.id = e.tenant_id where t.uuid = $1 and e.value = $2`,
      [this.asks.id, value],
    )
    return rows[0]?.id ?? null
  }

  async isPending(): Promise<boolean> {
    const rows = await this.here.owner('select id from twofold.memories where id = $1 and pending_until is not null', [this.id])
    return rows.length > 0
  }

  /** The write, with an idempotency key unless told otherwise. */
  write(more: object = {}, ask: Ask = ONCE): Promise<Answer> {
    return this.asks.post('/v1/memories', writing(this.id, more), ask)
  }

  /** The ways by which somebody reads it. */
  async leaks(): Promise<string[]> {
    this.#around.quokka ??= await this.#entity('Quokka')
    return leaks(this.asks, this.#around)
  }

  /** Nothing of it is in the truth; what collector and graph have yet to take away nobody reads. */
  async expectGoneAtOnce(): Promise<void> {
    expect(await this.leaks()).toEqual([])
    expect(difference(this.before, await traces(this.here, this.asks), 'at once')).toEqual([])
  }

  /** Whether its vector is still in the cache. */
  isCached = (): Promise<boolean> => isCached(this.here, writing(this.id).content)

  /** What no request waits for is done, as often as one thing leads to another, in the time after every lease. */
  async swept(): Promise<void> {
    this.here.pass(60_000)
    for (let n = 0; n < 2; n++) await sweep(this.here.deps)
  }

  /** And nothing of it is anywhere. */
  async expectGone(): Promise<void> {
    await this.expectGoneAtOnce()
    await this.swept()
    expect(difference(this.before, await traces(this.here, this.asks), 'swept')).toEqual([])
  }

  /** Everybody reads it, both stores have it, and it is in the audit log once. */
  async expectKept(content = writing(this.id).content): Promise<void> {
    const { status, json } = await this.asks.get(`/v1/memories/${this.id}`)
    expect([status, json.memory?.content, json.receipt?.owed]).toEqual([200, content, []])
    expect(json.receipt.stores).toMatchObject({ vector: { state: 'written' }, graph: { state: 'written' } })
    expect(await this.asks.found({ query: 'unseen', mode: 'text' })).toEqual([this.id])
    expect((await this.asks.found({ query: content, mode: 'vector' }))[0]).toBe(this.id)
    const query = { start: { memoryId: this.id }, via: ['MENTIONS'], hops: 1 }
    const { nodes } = (await this.asks.post('/v1/graph/query', query)).json
    expect(nodes.map((node: any) => node.value ?? node.id).sort()).toEqual(['Quokka', 'Xenia', 'Yorick', this.id].sort())
    const audited = await this.here.owner(`select action from twofold.audit_log where target = $1`, [this.id])
    expect(audited).toEqual([{ action: 'memories.add' }])
    await this.swept()
    await this.expectAgreement()
  }

  /** Both stores agree to the last property. */
  async expectAgreement(): Promise<void> {
    const { json } = await this.asks.post('/api/persistence/sync', { operation: 'check', deep: true })
    expect([json.done, json.result.inconsistencies]).toEqual([true, []])
    const { metrics } = (await this.asks.get('/api/persistence/status')).json
    expect(metrics).toMatchObject({ owedGraphWrites: 0, deadLetters: 0, syncPercentage: 100, graphStoreCount: metrics.totalMemories })
  }
}
