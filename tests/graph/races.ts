import { randomUUID } from 'node:crypto'
import { collect } from '@twofold/core/entities/collect.ts'
import { createEntity, EntitiesInput } from '@twofold/core/entities/create.ts'
import { LinksInput, linkNodes } from '@twofold/core/entities/link.ts'
import { mergeEntities, unmergeEntity } from '@twofold/core/entities/merge.ts'
import { catchUp } from '@twofold/core/graph/catch-up.ts'
import { project } from '@twofold/core/graph/project.ts'
import { forget } from '@twofold/core/memories/forget.ts'
import { remember } from '@twofold/core/memories/remember.ts'
import { unlinkEntities } from '@twofold/core/memories/write.sql.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
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
type Named = { type: string; value: string }

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

    test('mergers and their undoing leave nothing at a name that means another, and lose nothing that was said', async () => {
      mine = await makeTenant(deps.db, randomUUID())
      const person = (value: string) => ({ type: 'person', value })
      const [one, other, third] = ['Augusta', 'Ada', 'Byron'].map(person) as [Named, Named, Named]
      const made = await createEntity(
        deps,
        caller(),
        EntitiesInput.parse({ entities: [one, other, third].map((e) => ({ ...e, subject: 'user:ada' })) }),
      )
      const [augusta, ada, byron] = made.answer.entities.map((entity) => entity.id) as [string, string, string]
      let writing = true
      let done = 0
      const trying = async (work: () => Promise<unknown>) => {
        // Of two who want the same, or against each other, one is told so.
        const count = () => {
          done++
        }
        await work().then(count, (error: unknown) => {
          if (!(error instanceof Refusal && ['conflict', 'invalid', 'in_progress'].includes(error.code))) throw error
        })
      }
      /** Who waited too long for the others is told to try again, and nothing of it was written. */
      const insisting = async (work: () => Promise<unknown>): Promise<void> => {
        await work().catch((error: unknown) => {
          if (!(error instanceof Refusal && error.code === 'in_progress')) throw error
          return insisting(work)
        })
      }
      const mergers = [
        [augusta, ada],
        [ada, byron],
        [byron, augusta],
      ].map(async ([id, into]) => {
        while (writing) {
          await trying(() => mergeEntities(deps, caller(), { id: id as string, into: into as string }))
          await trying(() => unmergeEntity(deps, caller(), { id: id as string }))
        }
      })
      const projecting = async () => {
        while (writing) await project(deps, mine.tenant, { oldest: 50 })
      }
      const writers = Array.from({ length: 5 }, async (_, w) => {
        const random = seeded(w + 100)
        for (let round = 0; round < 16; round++) {
          const entities = [one, other, third].filter(() => random() < 0.6)
          const relations = entities.slice(1).map((to) => ({ from: entities[0] as Named, type: 'knows', to }))
          const note = { userId: 'ada', content: `note ${w} ${round}`, entities, relations, extractEntities: false, embedding: vector }
          await insisting(() => remember(deps, caller(), note))
          const [from, to] = random() < 0.5 ? [one, third] : [other, one]
          const named = { from: { ...from, subject: 'user:ada' }, type: `likes ${w}`, to: { ...to, subject: 'user:ada' } }
          await insisting(() => linkNodes(deps, caller(), LinksInput.parse({ links: [named] })))
        }
      })
      await Promise.all([
        projecting(),
        ...mergers,
        Promise.all(writers).finally(() => {
          writing = false
        }),
      ])
      const strays = async () => {
        const [[row]] = await deps.db.asTenant(mine.tenant, [
          sql<{ strays: number }>`select count(*)::int as strays from (
            select me.entity_id, me.alias_id from memory_entities me
            union all select r.from_id, r.from_alias from relations r union all select r.to_id, r.to_alias from relations r
            union all select k.from_id, k.from_alias from links k union all select k.to_id, k.to_alias from links k) x
          join entities e on e.id = x.entity_id left join entities a on a.id = x.alias_id
          where e.kept_id is not null or (x.alias_id is not null and a.kept_id is distinct from e.id)`,
        ])
        return row?.strays
      }
      expect(done).toBeGreaterThan(0)
      expect(await strays()).toBe(0)
      for (let i = 0; i < 3; i++) for (const id of [augusta, ada, byron]) await trying(() => unmergeEntity(deps, caller(), { id }))
      expect(await strays()).toBe(0)
      await catchUp(deps, mine.tenant, new Date(Date.now() + 60_000))
      const [[said], [links]] = await deps.db.asTenant(mine.tenant, [
        sql<{ said: number; meant: number }>`select
          (select sum(jsonb_array_length(m.entities) + jsonb_array_length(m.relations))::int from memories m) as said,
          (select count(*)::int from memory_entities where alias_id is null) + (select count(*)::int from relations where from_alias is null and to_alias is null) as meant`,
        sql<{ links: number }>`select count(*)::int as links from links where from_alias is null and to_alias is null`,
      ])
      expect(said?.meant).toBe(said?.said)
      expect(await deps.graph.counts(mine.tenant, { generations: [1] })).toEqual({
        ...{ memories: 80, entities: 3, sessions: 0 },
        edges: (said?.said ?? 0) + (links?.links ?? 0),
      })
    }, 120_000)

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
