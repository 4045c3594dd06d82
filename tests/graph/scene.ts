import { randomUUID } from 'node:crypto'
import { type Outcome, type ProjectDeps, project } from '@twofold/core/graph/project.ts'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { OpenStores, Stores } from './stores.ts'
import { Clock, depsOf, makeTenant, type Tenant, type Watched, watched } from './world.ts'

const live = { generations: [1] }

/** What the tests of one suite work with: stores opened once, and for each test a clock, a watched graph and a tenant of its own. */
export class Scene {
  stores!: Stores
  clock = new Clock()
  graph!: Watched
  deps!: ProjectDeps
  mine!: Tenant

  get db(): Stores['db'] {
    return this.stores.db
  }
  readonly show = (...ids: string[]): Promise<Outcome[]> => project(this.deps, this.mine.tenant, ids)
  readonly states = async (...ids: string[]) => new Map((await this.show(...ids)).map((outcome) => [outcome.id, outcome.state]))
  readonly counts = () => this.graph.counts(this.mine.tenant, live)
  readonly reach = async (start: string): Promise<string[]> => {
    const found = await this.graph.traverse(
      this.mine.tenant,
      { start: [start], ranges: [{ low: '', high: '\u{10FFFF}' }], via: [], direction: 'both', hops: 1, limit: 10 },
      live,
    )
    return found.nodes.map((node) => node.id)
  }
}

export function scene(open: OpenStores): Scene {
  const it = new Scene()
  beforeAll(async () => {
    it.stores = await open(() => it.clock.now())
  })
  afterAll(() => it.stores?.close())
  beforeEach(async () => {
    it.clock = new Clock()
    it.graph = watched(it.stores.graph)
    it.deps = depsOf(it.db, it.graph, it.clock)
    it.mine = await makeTenant(it.db, randomUUID())
  })
  return it
}
