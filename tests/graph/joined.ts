import { randomUUID } from 'node:crypto'
import { getEntityContext } from '@twofold/core/entities/context.ts'
import { mergeEntities, unmergeEntity } from '@twofold/core/entities/merge.ts'
import { findPaths, PathsQuery } from '@twofold/core/graph/paths.ts'
import { project } from '@twofold/core/graph/project.ts'
import { GraphQuery, queryGraph } from '@twofold/core/graph/query.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { z } from 'zod-own'
import type { OpenStores, Stores } from './stores.ts'
import { Clock, callerOf, depsOf, entityId, id, makeKey, makeTenant, type Remembered, remember, type Tenant, watched } from './world.ts'

/** What joins two entities, and two that are one. */
export function joinedTests(open: OpenStores): void {
  describe('two entities', () => {
    let stores: Stores
    let clock = new Clock()
    let mine: Tenant
    let deps: Deps

    beforeAll(async () => {
      stores = await open(() => clock.now())
    })
    afterAll(() => stores.close())
    beforeEach(async () => {
      clock = new Clock()
      const cache = { invalidate: async () => 'disabled' as const }
      const queue = { nudge: async () => undefined }
      deps = { ...depsOf(stores.db, watched(stores.graph), clock), verifiedKeys: { get: () => null }, cache, queue } as unknown as Deps
      mine = await makeTenant(stores.db, randomUUID())
    })

    async function know(...memories: Omit<Remembered, 'id'>[]): Promise<void> {
      await remember(stores.db, mine, clock, ...memories.map((memory) => ({ id: id(), ...memory })))
      await shown()
    }
    const shown = () => project(deps, mine.tenant, { oldest: 500 })
    const person = (value: string) => ({ type: 'person', value })
    const ask = (from: string, to: string, given: Partial<z.input<typeof PathsQuery>> = {}, as = mine) =>
      findPaths(deps, callerOf(as), PathsQuery.parse({ from: person(from), to: person(to), ...given }))
    const names = (nodes: readonly { id: string }[]) =>
      new Map((nodes as any[]).map((node) => [node.id, node.content ?? node.value] as const))
    const paths = async (...given: Parameters<typeof ask>) => {
      const answer = await ask(...given)
      const called = names(answer.nodes)
      return answer.paths.map((path) => path.nodes.map((id) => called.get(id)).join(' > '))
    }
    const around = async (value: string) => {
      const { nodes, edges } = await queryGraph(deps, callerOf(mine), GraphQuery.parse({ start: { value }, hops: 1, limit: 100 }))
      const called = names(nodes)
      return edges.map((e) => `${called.get(e.from)} ${e.properties.type ?? e.type} ${called.get(e.to)}`).sort()
    }
    const admin = () => ({ ...callerOf(mine), scope: 'graph:write' })
    const merge = async (one: string, into: string) => {
      const [a, b] = [await entityId(stores.db, mine, one), await entityId(stores.db, mine, into)] as [string, string]
      await mergeEntities(deps, admin(), { id: a, into: b })
      await shown()
    }
    const unmerge = async (one: string) => {
      await unmergeEntity(deps, admin(), { id: (await entityId(stores.db, mine, one)) as string })
      await shown()
    }

    describe('are joined', () => {
      test('by paths of up to four edges, shortest first, over relations and memories', async () => {
        await know(
          { content: 'Ada met Bob', entities: ['person:Ada', 'person:Bob'] },
          { content: 'Bob met Eve', entities: ['person:Bob', 'person:Eve'] },
          { content: 'a list', entities: ['person:Ada', 'person:Dan', 'person:Eve'], relations: [['person:Eve', 'knows', 'person:Dan']] },
        )
        expect(await paths('Ada', 'Eve')).toEqual([
          'Ada > a list > Eve',
          'Ada > a list > Dan > Eve',
          'Ada > Ada met Bob > Bob > Bob met Eve > Eve',
        ])
        expect(await paths('Eve', 'Dan', { hops: 1 })).toEqual(['Eve > Dan'])
        expect(await paths('Ada', 'Eve', { via: ['MENTIONS'], hops: 3 })).toEqual(['Ada > a list > Eve'])
        expect((await ask('Ada', 'Eve', { limit: 2 })).cut).toBe(true)
        expect((await ask('Ada', 'Eve')).cut).toBe(false)
      })

      test('never from one subject to another, and for a narrow key by what it may see', async () => {
        await know(
          { content: 'open', namespace: 'user:ada:open', entities: ['person:Ada', 'person:Bob'] },
          { content: 'secret', namespace: 'user:ada:secret', entities: ['person:Ada', 'person:Bob'] },
          { content: 'theirs', namespace: 'user:bob', entities: ['person:Bob', 'person:Eve'] },
        )
        expect(await paths('Ada', 'Eve')).toEqual([])
        expect((await paths('Ada', 'Bob')).sort()).toEqual(['Ada > open > Bob', 'Ada > secret > Bob'])
        const narrow = await makeKey(stores.db, mine, ['user:ada:open'])
        expect(await paths('Ada', 'Bob', {}, narrow)).toEqual(['Ada > open > Bob'])
      })

      test('also where so much lies around them that not all of it is looked at, which is told', async () => {
        await know(
          ...Array.from({ length: 60 }, (_, i) => ({
            content: `${i}`,
            entities: Array.from({ length: 20 }, (_, j) => `person:P${i} ${j}`).concat('person:Ada'),
          })),
          { content: 'both', entities: ['person:Ada', 'person:Bob'] },
        )
        await shown()
        await shown()
        const answer = await ask('Ada', 'Bob')
        expect([answer.paths.length, answer.cut]).toEqual([1, true])
      })
    })

    describe('are one', () => {
      beforeEach(() =>
        know(
          { content: 'Rob sings', entities: ['person:Rob'] },
          { content: 'Robert and Eve', entities: ['person:Robert', 'person:Eve'], relations: [['person:Robert', 'knows', 'person:Eve']] },
          { content: 'both', entities: ['person:Rob', 'person:Robert'], relations: [['person:Rob', 'is', 'person:Robert']] },
        ),
      )

      test('in the graph, from which the other goes, until an undo', async () => {
        const before = [await around('Rob'), await around('Robert')]
        const counts = () => deps.graph.counts(mine.tenant, { generations: [1] })
        const [was] = [await counts()]
        await merge('Robert', 'Rob')
        const one = [
          'Rob knows Eve',
          'Rob sings MENTIONS Rob',
          'Robert and Eve MENTIONS Eve',
          'Robert and Eve MENTIONS Rob',
          'both MENTIONS Rob',
        ].sort()
        expect([await around('Rob'), await around('Robert')]).toEqual([one, one])
        // One entity, one mention of two and the relation between them are less.
        expect(await counts()).toEqual({ ...was, entities: was.entities - 1, edges: was.edges - 2 })
        await unmerge('Robert')
        expect([await around('Rob'), await around('Robert'), await counts()]).toEqual([...before, was])
      })

      test('in what is known around them', async () => {
        await merge('Robert', 'Rob')
        const robert = (await entityId(stores.db, mine, 'Robert')) as string
        const { entity, memories, relations, aliases } = await getEntityContext(deps, callerOf(mine), { id: robert, limit: 20 })
        expect([entity.value, memories.map((m) => m.content)]).toEqual(['Rob', ['both', 'Robert and Eve', 'Rob sings']])
        expect([relations.map((r) => r.type), aliases.map((a) => a.value)]).toEqual([['knows'], ['Robert']])
      })

      test('before the graph has heard of it, and nobody is shown the other', async () => {
        const [a, b] = [await entityId(stores.db, mine, 'Robert'), await entityId(stores.db, mine, 'Rob')] as [string, string]
        await mergeEntities(deps, admin(), { id: a, into: b })
        const { nodes } = await queryGraph(deps, callerOf(mine), GraphQuery.parse({ start: { value: 'Rob' }, hops: 3, limit: 100 }))
        expect(nodes.map((node) => node.id)).not.toContain(a)
        await shown()
        expect(await paths('Rob', 'Eve')).toEqual(['Rob > Eve', 'Rob > Robert and Eve > Eve'])
      })
    })
  })
}
