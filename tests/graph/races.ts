import { randomUUID } from 'node:crypto'
import { collect } from '@twofold/core/entities/collect.ts'
import { catchUp } from '@twofold/core/graph/catch-up.ts'
import { project } from '@twofold/core/graph/project.ts'
import { forget } from '@twofold/core/memories/forget.ts'
import { remember } from '@twofold/core/memories/remember.ts'
import { unlinkEntities } from '@twofold/core/memories/write.sql.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenStores, Stores } from './stores.ts'
import { callerOf, depsOf, id, makeTenant, type Tenant } from './world.ts'

/** The same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state / 0x7fffffff
  }
}

const vector = Array.from({ length: 384 }, (_, i) => Math.sin(i + 1))
const clock = { now: () => new Date() }

/** Needs a database in which transactions meet. */
export function raceTests(open: OpenStores): void {
  describe('writers, deleters, the collector and graph writers at the same time', () => {
    let stores: Stores
    let deps: Deps
    let mine: Tenant
    beforeAll(async () => {
      stores = await open(clock.now)
      deps = {
        ...depsOf(stores.db, stores.graph, clock as never),
        id: randomUUID,
        cache: { invalidate: async () => 'disabled', forgetEmbeddings: async () => undefined },
        embedder: { model: 'embedded:minilm-l6-v2-fp16', dimensions: 384 },
        extractor: { model: 'none' },
        queue: { nudge: async () => undefined },
        verifiedKeys: { get: () => null },
      } as unknown as Deps
      mine = await makeTenant(stores.db, randomUUID())
    })
    afterAll(() => stores.close())

    const caller = () => ({ ...callerOf(mine), scope: null })
    const left = async () => {
      const [[row]] = await deps.db.asTenant(mine.tenant, [
        sql<{ memories: number; mentions: number; entities: number; edges: number; owed: number }>`select
          (select count(*)::int from memories) as memories, (select count(*)::int from memory_entities) as mentions,
          (select count(*)::int from entities) as entities,
          (select count(*)::int from memory_entities) + (select count(*)::int from relations) as edges,
          (select count(*)::int from ledger where revision <> shown) as owed`,
      ])
      return row as NonNullable<typeof row>
    }

    test('no mention is lost, no write fails, and what nothing refers to is gone in both stores', async () => {
      const names = ['Ada', 'Grace', 'Alan']
      const kept: string[] = []
      let writing = true
      const background = [
        ...Array.from({ length: 3 }, async () => {
          while (writing) await collect(deps, mine.tenant)
        }),
        ...Array.from({ length: 2 }, async () => {
          while (writing) await project(deps, mine.tenant, { oldest: 20 })
        }),
      ]
      const writers = Array.from({ length: 8 }, async (_, w) => {
        const random = seeded(w + 1)
        for (let round = 0; round < 60; round++) {
          const mentioned = names.filter(() => random() < 0.6)
          const entities = mentioned.map((value) => ({ type: 'person', value }))
          const relations = mentioned.slice(1).map((value) => ({ from: mentioned[0] as string, type: 'knows', to: value }))
          const input = { userId: 'ada', content: `note ${w} ${round}`, entities, relations, extractEntities: false, embedding: vector }
          const { answer } = await remember(deps, caller(), input)
          if (round === 59) kept.push(answer.memory.id)
          else await forget(deps, caller(), answer.memory.id, { hard: true, cascadeGraph: true })
        }
      })
      await Promise.all(writers).finally(() => {
        writing = false
      })
      await Promise.all(background)
      await collect(deps, mine.tenant)
      await catchUp(deps, mine.tenant, new Date(Date.now() + 60_000))
      const now = await left()
      expect(now).toMatchObject({ memories: 8, owed: 0 })
      expect(await deps.graph.counts(mine.tenant, { generations: [1] })).toEqual({
        memories: 8,
        entities: now.entities,
        sessions: 0,
        edges: now.edges,
      })

      await Promise.all(kept.map((memory) => forget(deps, caller(), memory, { hard: true, cascadeGraph: true })))
      await collect(deps, mine.tenant)
      await catchUp(deps, mine.tenant, new Date(Date.now() + 60_000))
      expect(await left()).toEqual({ memories: 0, mentions: 0, entities: 0, edges: 0, owed: 0 })
      expect(await deps.graph.counts(mine.tenant, { generations: [1] })).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
    }, 120_000)

    test('an entity whose last mention is being taken away while the collector looks at it is found by the next sweep', async () => {
      mine = await makeTenant(deps.db, randomUUID())
      const input = {
        userId: 'ada',
        content: 'note',
        entities: [{ type: 'person', value: 'Ada' }],
        extractEntities: false,
        embedding: vector,
      }
      const [first, last] = [await remember(deps, caller(), input), await remember(deps, caller(), input)]
      await forget(deps, caller(), first.answer.memory.id, { hard: true, cascadeGraph: true })

      const slow = new pg.Client({ connectionString: stores.owner.url })
      await slow.connect()
      await slow.query('begin')
      await slow.query(`select set_config('search_path', 'twofold, public', true), twofold.act_for('${mine.tenant}')`)
      const { text, params } = unlinkEntities([last.answer.memory.id], new Date().toISOString())
      await slow.query(text, [...params])
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 0, removed: 0 })
      await slow.query('commit')
      await slow.end()

      expect(await collect(deps, mine.tenant)).toEqual({ looked: 1, removed: 1 })
    })

    test('many graph writers over one backlog write each row once', async () => {
      const written: string[] = []
      const graph = {
        ...deps.graph,
        apply: async (...given: Parameters<Deps['graph']['apply']>) => {
          written.push(...given[1].map((projection) => projection.id))
          await deps.graph.apply(...given)
        },
      }
      mine = await makeTenant(deps.db, randomUUID())
      const memories = Array.from({ length: 300 }, id)
      await deps.db.asTenant(mine.tenant, [sql`select owe('memory', ${memories}::uuid[], array_fill('user:ada'::text, array[300]), now())`])
      await Promise.all(Array.from({ length: 12 }, () => catchUp({ ...deps, graph }, mine.tenant, new Date(Date.now() + 60_000))))
      expect(written.sort()).toEqual(memories.sort())
      expect((await left()).owed).toBe(0)
    })
  })
}
