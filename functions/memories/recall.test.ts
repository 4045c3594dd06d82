import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  tenant = await here.tenant()
})

const common = { userId: 'alice', extractEntities: false }
const about = [{ type: 'project', value: 'Apollo' }]
const recall = async (body: object, key?: string) =>
  (await tenant.post('/v1/memories/recall', { userId: 'alice', ...body }, key ? { key } : {})).json
const kinds = (answer: any): string[] => answer.results.map((r: any) => r.memory.kind).sort()
const fill = async () => {
  await tenant.post('/v1/decisions', { ...common, title: 'Migrate billing', rationale: 'The old one is slow' })
  await tenant.post('/v1/commitments', { ...common, title: 'Write billing tests', owner: 'me' })
  await tenant.post('/v1/patterns', { ...common, name: 'Billing peaks', description: 'On the first of the month' })
  await tenant.add({ content: 'Billing invoices are sent monthly', extractEntities: false })
}
const relayed = async () => {
  for (let i = 0; i < 3; i++) await sweep(here.deps)
}

describe('recalling several kinds', () => {
  test('finds the best of those asked for together, each once, with the fields of its kind', async () => {
    await fill()
    const answer = await recall({ query: 'billing', memoryTypes: ['decision', 'commitment'] })
    expect(kinds(answer)).toEqual(['commitment', 'decision'])
    expect(answer.results.find((r: any) => r.memory.kind === 'decision').memory.title).toBe('Migrate billing')
    expect(kinds(await recall({ query: 'billing', memoryTypes: ['note', 'pattern'] }))).toEqual(['note', 'pattern'])
    const scores = answer.results.map((r: any) => r.score)
    expect(scores).toEqual(scores.toSorted((a: number, b: number) => b - a))
    expect((await recall({ query: 'billing', memoryTypes: ['decision', 'commitment', 'pattern'], limit: 2 })).results).toHaveLength(2)
  })

  test('brings what the graph connects to them, of these kinds alone', async () => {
    await tenant.post('/v1/decisions', { ...common, title: 'Migrate billing', rationale: 'x', about })
    await tenant.post('/v1/commitments', { ...common, title: 'Order champagne', owner: 'me', about })
    await tenant.add({ content: 'Champagne is cold', extractEntities: false, entities: about })
    for (let i = 0; i < 12; i++) await tenant.post('/v1/decisions', { ...common, title: `Migrate billing ${i}`, rationale: 'y' })
    await relayed()
    const { results } = await recall({ query: 'migrate billing x', memoryTypes: ['decision', 'commitment'], limit: 5 })
    const connected = results.find((r: any) => r.via)
    expect([connected.memory.title, connected.via.hops]).toEqual(['Order champagne', 2])
    expect(results).toHaveLength(5)
  })

  test('asks Postgres once for the search and the graph once, however many the kinds', async () => {
    await fill()
    await relayed()
    const calls = { searches: 0, sessions: 0, traversals: 0 }
    const { db, graph } = here.deps
    here.deps.db = {
      ...db,
      asCaller: (...args) => {
        if (JSON.stringify(args[2]).includes('weighted')) calls.searches++
        return db.asCaller(...args)
      },
    }
    here.deps.graph = {
      ...graph,
      traverse: (...args) => {
        calls.traversals++
        return graph.traverse(...args)
      },
      session: (...args) => {
        calls.sessions++
        return graph.session(...args)
      },
    }
    try {
      await recall({ query: 'billing', memoryTypes: ['decision', 'commitment', 'pattern'] })
    } finally {
      Object.assign(here.deps, { db, graph })
    }
    expect(calls.searches).toBe(1)
    expect(calls.traversals + calls.sessions).toBe(1)
  })

  test('goes on without the graph, and without the model, and says so', async () => {
    await fill()
    const down = await here.withGraph('down', () => recall({ query: 'billing', memoryTypes: ['decision'] }))
    expect([kinds(down), down.degraded]).toEqual([['decision'], ['graph']])
    here.provider.fail('server-error')
    expect(await recall({ query: 'slow', memoryTypes: ['decision'] })).toMatchObject({ degraded: ['embedding'], results: [{}] })
  })

  test('stays inside the grant of the key', async () => {
    await fill()
    const key = await tenant.keyFor(['memories:read'], ['user:bob'])
    expect((await recall({ query: 'billing', memoryTypes: ['decision'] }, key)).code).toBe('forbidden')
    expect((await recall({ userId: undefined, query: 'billing', memoryTypes: ['decision'] }, key)).results).toEqual([])
  })
})

test.each([
  [{ query: undefined }, 'query'],
  [{ query: '' }, 'query'],
  [{ memoryTypes: undefined }, 'memoryTypes'],
  [{ memoryTypes: [] }, 'memoryTypes'],
  [{ memoryTypes: 'decision' }, 'memoryTypes'],
  [{ memoryTypes: ['Decision'] }, 'memoryTypes[0]'],
  [{ limit: 0 }, 'limit'],
  [{ limit: 101 }, 'limit'],
  [{ namespace: 'user:bob' }, 'userId'],
  [{ kinds: ['decision'] }, 'kinds'],
])('%j is refused by name', async (wrong, path) => {
  const { status, errors } = await recall({ query: 'x', memoryTypes: ['decision'], ...wrong })
  expect([status, [...new Set(errors.map((e: { path: string }) => e.path))]]).toEqual([400, [path]])
})
