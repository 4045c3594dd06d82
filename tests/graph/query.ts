import { randomUUID } from 'node:crypto'
import { GraphStoreError } from '@twofold/core/failures.ts'
import { type EntitiesQuery, listEntities } from '@twofold/core/graph/entities.ts'
import { project } from '@twofold/core/graph/project.ts'
import { GraphQuery, queryGraph as query } from '@twofold/core/graph/query.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { z } from 'zod-own'
import type { OpenStores, Stores } from './stores.ts'
import {
  Clock,
  callerOf,
  depsOf,
  entityId,
  id,
  makeKey,
  makeTenant,
  owe,
  type Remembered,
  remember,
  settings,
  type Tenant,
  type Watched,
  watched,
} from './world.ts'

/** What a caller is shown of the graph. */
export function queryTests(open: OpenStores): void {
  describe('asking the graph', () => {
    let stores: Stores
    let db: Stores['db']
    let clock = new Clock()
    let graph: Watched
    let mine: Tenant
    let deps: Deps

    beforeAll(async () => {
      stores = await open(() => clock.now())
      db = stores.db
    })
    afterAll(() => stores.close())
    beforeEach(async () => {
      clock = new Clock()
      graph = watched(stores.graph)
      deps = { ...depsOf(db, graph, clock), verifiedKeys: { get: () => null } } as unknown as Deps
      mine = await makeTenant(db, randomUUID())
    })

    /** Remembers and brings it all into the graph. */
    async function know(...memories: Remembered[]): Promise<void> {
      await remember(db, mine, clock, ...memories)
      await project(deps, mine.tenant, { oldest: 200 })
    }
    const ask = (given: z.input<typeof GraphQuery>, as = mine) => query(deps, callerOf(as), GraphQuery.parse(given))
    const shown = async (given: z.input<typeof GraphQuery>, as = mine) =>
      (await ask(given, as)).nodes.map((node) =>
        node.kind === 'memory' ? node.content : node.kind === 'entity' ? node.value : node.sessionId,
      )
    const list = (given: Partial<EntitiesQuery>, as = mine) => listEntities(deps, callerOf(as), { limit: 50, ...given })
    const values = async (given: Partial<EntitiesQuery>, as = mine) => (await list(given, as)).items.map((item) => item.value)

    const works: Remembered['relations'] = [['person:Ada', 'works_at', 'organization:Acme']]

    describe('a question to the graph', () => {
      test('from an entity answers memories and entities with what they are, edges with what they say', async () => {
        const memory = id()
        await know({
          id: memory,
          content: 'Ada works at Acme',
          namespace: 'user:ada:work',
          entities: ['person:Ada', 'organization:Acme'],
          relations: works,
          about: ['person:Ada'],
        })
        const [ada, acme] = [await entityId(db, mine, 'Ada'), await entityId(db, mine, 'Acme')]
        const answer = await ask({ start: { type: 'person', value: 'ADA' }, namespacePrefix: 'user:ada' })
        expect(answer.nodes).toEqual(
          [
            {
              id: ada,
              kind: 'entity',
              type: 'person',
              value: 'Ada',
              normalized: 'ada',
              subject: 'user:ada',
              createdAt: clock.now().toISOString(),
              hops: 0,
            },
            expect.objectContaining({ id: acme, kind: 'entity', value: 'Acme', hops: 1 }),
            {
              id: memory,
              kind: 'memory',
              content: 'Ada works at Acme',
              namespace: 'user:ada:work',
              type: 'semantic',
              memoryKind: 'note',
              key: null,
              summary: null,
              importance: 5,
              tags: [],
              version: 1,
              occurredAt: clock.now().toISOString(),
              hops: 1,
            },
          ].sort((a, b) => a.hops - b.hops || (String(a.id) < String(b.id) ? -1 : 1)),
        )
        expect(answer.edges).toEqual([
          { from: memory, to: ada, type: 'ABOUT', properties: { confidence: 1 } },
          { from: memory, to: ada, type: 'MENTIONS', properties: { confidence: 1 } },
          { from: memory, to: acme, type: 'MENTIONS', properties: { confidence: 1 } },
          { from: ada, to: acme, type: 'RELATES_TO', properties: { type: 'works_at', confidence: 0.5 } },
        ])
        expect(answer).toMatchObject({ cut: false, freshness: { asOf: clock.now().toISOString(), graphLagMs: 0 } })
      })

      test('from a memory reaches what shares its entities, hop by hop', async () => {
        const [first, second, third] = [id(), id(), id()]
        await know(
          { id: first, content: 'first', entities: ['person:Ada'] },
          { id: second, content: 'second', entities: ['person:Ada', 'place:Turin'] },
          { id: third, content: 'third', entities: ['place:Turin'] },
        )
        expect(await shown({ start: { memoryId: first } })).toEqual(['first', 'Ada'])
        expect(await shown({ start: { memoryId: first }, hops: 2 })).toEqual(['first', 'Ada', 'second'])
        expect(await shown({ start: { memoryId: first }, hops: 4 })).toEqual(['first', 'Ada', 'second', 'Turin', 'third'])
      })

      test('is answered within the limit, the start among its nodes, and says when it was cut', async () => {
        await know(...Array.from({ length: 6 }, (_, i) => ({ id: id(), content: `note ${i}`, entities: ['person:Ada'] })))
        for (const [limit, cut] of [
          [1, true],
          [3, true],
          [6, true],
          [7, false],
          [50, false],
        ] as const) {
          const answer = await ask({ start: { type: 'person', value: 'Ada' }, limit })
          expect(answer.nodes).toHaveLength(Math.min(limit, 7))
          expect(answer.cut).toBe(cut)
        }
      })

      test('stays inside one subject, even where names are the same', async () => {
        await know(
          { id: id(), content: 'ours', namespace: 'user:ada', entities: ['project:Apollo'] },
          { id: id(), content: 'theirs', namespace: 'user:bob', entities: ['project:Apollo'] },
        )
        expect(await shown({ start: { type: 'project', value: 'Apollo' }, hops: 4, namespacePrefix: 'user:ada' })).toEqual([
          'Apollo',
          'ours',
        ])
        expect((await shown({ start: { value: 'Apollo' }, hops: 4, namespacePrefix: 'user' })).sort()).toEqual([
          'Apollo',
          'Apollo',
          'ours',
          'theirs',
        ])
        expect(await shown({ start: { value: 'Apollo' }, hops: 4, namespacePrefix: 'user:a' })).toEqual([])
      })

      test('with a prefix below the subject uses only what was said there', async () => {
        await know(
          { id: id(), content: 'at work', namespace: 'user:ada:work', entities: ['person:Bob', 'project:Apollo'] },
          { id: id(), content: 'workshop', namespace: 'user:ada:workshop', entities: ['person:Bob', 'place:Turin'] },
        )
        expect((await shown({ start: { value: 'Bob' }, hops: 4, namespacePrefix: 'user:ada:work' })).sort()).toEqual([
          'Apollo',
          'Bob',
          'at work',
        ])
        expect(await shown({ start: { value: 'Turin' }, hops: 4, namespacePrefix: 'user:ada:work' })).toEqual([])
      })

      test('from a key of narrow grant shows, and goes through, only what it may see', async () => {
        const secret = id()
        await know(
          { id: id(), content: 'open', namespace: 'user:ada:open', entities: ['person:Bob'] },
          { id: secret, content: 'secret', namespace: 'user:ada:secret', entities: ['person:Bob', 'person:Eve'] },
          { id: id(), content: 'beyond', namespace: 'user:ada:open', entities: ['person:Eve'] },
        )
        const narrow = await makeKey(db, mine, ['user:ada:open'])
        expect((await shown({ start: { value: 'Bob' }, hops: 4 }, narrow)).sort()).toEqual(['Bob', 'open'])
        expect((await shown({ start: { value: 'Bob' }, hops: 4 })).sort()).toEqual(['Bob', 'Eve', 'beyond', 'open', 'secret'])
        await expect(ask({ start: { memoryId: secret } }, narrow)).rejects.toMatchObject({ code: 'not_found' })
        await expect(ask({ start: { value: 'Bob' }, namespacePrefix: 'user:ada' }, narrow)).rejects.toMatchObject({ code: 'forbidden' })
      })

      test('shows an edge while any readable memory asserts it, and none that only a hidden one does', async () => {
        await know(
          { id: id(), content: 'open', namespace: 'user:ada:open', entities: ['person:Ada', 'organization:Acme'] },
          { id: id(), content: 'secret', namespace: 'user:ada:secret', entities: ['person:Ada', 'organization:Acme'], relations: works },
        )
        const narrow = await makeKey(db, mine, ['user:ada:open'])
        const related = async (as: Tenant) =>
          (await ask({ start: { value: 'Ada' }, hops: 2 }, as)).edges.some((edge) => edge.type === 'RELATES_TO')
        expect(await related(mine)).toBe(true)
        expect(await related(narrow)).toBe(false)
      })

      test('shows rows as they are now, and nothing that went since the graph was written, nor what lay behind it', async () => {
        const [bridge, far] = [id(), id()]
        await know(
          { id: bridge, content: 'bridge', entities: ['person:Ada', 'place:Turin'] },
          { id: far, content: 'far', entities: ['place:Turin'] },
        )
        await remember(db, mine, clock, { id: far, content: 'far, rewritten', entities: ['place:Turin'] })
        clock.pass(4000)
        expect(await shown({ start: { value: 'Ada' }, hops: 3 })).toEqual(['Ada', 'bridge', 'Turin', 'far, rewritten'])
        await remember(db, mine, clock, { id: id(), content: 'new', entities: ['person:Ada'] })
        await db.asTenant(mine.tenant, [
          sql`update memories set deleted_at = now() where tenant_id = current_tenant() and id = ${bridge}::uuid`,
          sql`delete from memory_entities where tenant_id = current_tenant() and memory_id = ${bridge}::uuid`,
          owe(bridge, 'user:ada', clock.now().toISOString()),
        ])
        expect(await shown({ start: { value: 'Ada' }, hops: 3 })).toEqual(['Ada'])
        expect(await shown({ start: { value: 'Turin' } })).toEqual(['Turin', 'far, rewritten'])
        expect((await ask({ start: { value: 'Turin' } })).freshness.graphLagMs).toBe(4000)
      })

      test('shows nothing pending or expired', async () => {
        await know(
          { id: id(), content: 'pending', entities: ['person:Ada'], pending: true },
          { id: id(), content: 'short', entities: ['person:Ada'], expiresAt: '2026-03-01T12:30:00Z' },
          { id: id(), content: 'lasting', entities: ['person:Ada'] },
        )
        expect(await shown({ start: { value: 'Ada' } })).toEqual(['Ada', 'short', 'lasting'])
        clock.pass(3600_000)
        expect(await shown({ start: { value: 'Ada' } })).toEqual(['Ada', 'lasting'])
      })

      test('about what is not known is answered with nothing, about an unknown memory refused', async () => {
        expect(await ask({ start: { type: 'person', value: 'Nobody' } })).toMatchObject({ nodes: [], edges: [], cut: false })
        await expect(ask({ start: { memoryId: randomUUID() } })).rejects.toMatchObject({ code: 'not_found' })
      })

      test('that names no start, or two, is refused with the field', () => {
        for (const start of [{}, { memoryId: id(), value: 'Ada' }])
          expect(GraphQuery.safeParse({ start }).error?.issues[0]?.path).toEqual(['start'])
        for (const wrong of [
          { hops: 0 },
          { hops: 5 },
          { limit: 0 },
          { limit: 501 },
          { direction: 'up' },
          { namespacePrefix: 'planet:mars' },
          { cypher: 'MATCH (n)' },
        ]) {
          expect(GraphQuery.safeParse({ start: { value: 'Ada' }, ...wrong }).success).toBe(false)
        }
      })

      test('while the graph is out of reach fails as the graph’s trouble, and switched off is unavailable', async () => {
        const memory = id()
        await know({ id: memory })
        const down = { ...deps, graph: { ...graph, traverse: () => Promise.reject(new GraphStoreError('traverse', { retryable: true })) } }
        await expect(query(down, callerOf(mine), GraphQuery.parse({ start: { memoryId: memory } }))).rejects.toBeInstanceOf(GraphStoreError)
        const off = { ...deps, settings: { ...settings, graphEnabled: false } }
        await expect(query(off, callerOf(mine), GraphQuery.parse({ start: { memoryId: memory } }))).rejects.toMatchObject({
          code: 'unavailable',
        })
      })

      test('needs the scope', async () => {
        const caller = { ...callerOf(await makeKey(db, mine, ['*'])), scope: 'graph:write' }
        await expect(query(deps, caller, GraphQuery.parse({ start: { value: 'Ada' } }))).rejects.toMatchObject({ code: 'forbidden' })
      })
    })

    describe('the list of entities', () => {
      test('is found by whole words of the name, in any order, accent and case, and by type and subject', async () => {
        await know(
          { id: id(), entities: ['person:Grace Hopper', 'person:José García', 'organization:Hopper Ltd', 'topic:Grasshoppers'] },
          { id: id(), namespace: 'user:bob', entities: ['person:Grace Kelly'] },
        )
        expect(await values({ q: 'grace' })).toEqual(['Grace Hopper', 'Grace Kelly'])
        expect(await values({ q: 'HOPPER Grace' })).toEqual(['Grace Hopper'])
        expect(await values({ q: 'garcia jose' })).toEqual(['José García'])
        expect(await values({ q: 'the Hopper' })).toEqual(['Grace Hopper', 'Hopper Ltd'])
        expect(await values({ q: 'hopper', type: 'organization' })).toEqual(['Hopper Ltd'])
        expect(await values({ q: 'grace', subject: 'user:bob' })).toEqual(['Grace Kelly'])
        expect(await values({ type: 'person', subject: 'user:ada' })).toEqual(['Grace Hopper', 'José García'])
        for (const q of ['grac', '', '!!!', "'; drop table entities; --"]) expect(await values({ q })).toEqual([])
      })

      test('is there before the graph has caught up', async () => {
        await remember(db, mine, clock, { id: id(), entities: ['person:Ada'] })
        expect(await values({})).toEqual(['Ada'])
      })

      test('is paged without gaps or doubles while entities are added', async () => {
        await know({ id: id(), entities: Array.from({ length: 7 }, (_, i) => `person:Person ${i}`) })
        const seen: string[] = []
        let cursor: string | undefined
        do {
          const page = await list({ limit: 3, ...(cursor ? { cursor } : {}) })
          seen.push(...page.items.map((item) => item.value))
          cursor = page.nextCursor ?? undefined
          if (seen.length === 3) await remember(db, mine, clock, { id: id(), entities: ['person:Person 7'] })
        } while (cursor)
        expect(seen).toEqual(Array.from({ length: 8 }, (_, i) => `Person ${i}`))
      })

      test('shows a key of narrow grant only what its memories mention, and explicit entities only of whole subjects', async () => {
        await know(
          { id: id(), namespace: 'user:ada:open', entities: ['person:Bob'] },
          { id: id(), namespace: 'user:ada:secret', entities: ['person:Eve'] },
        )
        await db.asTenant(mine.tenant, [
          sql`insert into entities (tenant_id, id, subject, type, normalized, value, explicit, created_at)
        values (current_tenant(), ${id()}::uuid, 'user:ada', 'other', 'made', 'Made', true, now())`,
        ])
        expect(await values({})).toEqual(['Bob', 'Eve', 'Made'])
        expect(await values({}, await makeKey(db, mine, ['user:ada:open']))).toEqual(['Bob'])
        expect(await values({}, await makeKey(db, mine, ['user:ada']))).toEqual(['Bob', 'Eve', 'Made'])
        expect(await values({}, await makeKey(db, mine, ['user:al']))).toEqual([])
        await expect(values({ subject: 'user:ada' }, await makeKey(db, mine, ['user:ada:open']))).rejects.toMatchObject({
          code: 'forbidden',
        })
      })
    })
  })
}
