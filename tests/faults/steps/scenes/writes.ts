import { deleted, erased, revised, type World, withMemories } from '../world.ts'
import { adding, anew, deleting, fact, key, must, restoring, said, settled, updating } from './facts.ts'
import type { Scene, Setting } from './scene.ts'

/** One more memory, added in this way. */
const add =
  (more: object, failing: Scene['failing'] = []): Setting =>
  async (at) => {
    const world = await settled(at)
    const known = fact(at.n, 3)
    return { does: { request: adding(at.n, known, more) }, worlds: [world, withMemories(world, known)], about: known.id, failing }
  }

const update =
  (more: object): Setting =>
  async (at) => {
    const world = await settled(at)
    const known = { ...fact(at.n, 2), ...anew(at.n, fact(at.n, 2)) }
    return { does: { request: updating(at.n, known, more) }, worlds: [world, revised(world, known.id, anew(at.n, known))], about: known.id }
  }

const remove =
  (how: string, to: (world: World, id: string) => World): Setting =>
  async (at) => {
    const world = await settled(at)
    const { id } = fact(at.n, 2)
    return { does: { request: deleting(at.n, id, how) }, worlds: [world, to(world, id)], about: id }
  }

const PART = 50

const batch =
  (size: number, more: object, atomic: boolean): Setting =>
  async (at) => {
    const world = await settled(at)
    const many = Array.from({ length: size }, (_, i) => fact(at.n, 3 + i))
    const items = many.map((known) => ({ ...said(known), ...more }))
    const request = { method: 'POST', path: '/v1/memories/batch', body: { items, atomic }, headers: key(at.n) }
    const parts = size > PART && !atomic ? [withMemories(world, ...many.slice(0, PART))] : []
    return { does: { request }, worlds: [world, ...parts, withMemories(world, ...many)], about: many[0]?.id as string }
  }

export const ROLLBACK = { waitFor: 'graph', onGraphFailure: 'rollback' }
export const APPLY = 'graph/project.ts applyInTime · graph.apply'
export const LEASE = 'graph/project.ts projectOnce · db.asTenant'

/** What callers ask for. */
export const writes: Record<string, Setting> = {
  add: add({}),
  'add, wait for the graph': add({ waitFor: 'graph' }),
  'add, wait for the graph, which is away': add({ waitFor: 'graph' }, [{ step: APPLY, with: 'graph away' }]),
  'add, wait for the graph, Postgres away meanwhile': add({ waitFor: 'graph' }, [{ step: LEASE, with: 'postgres away' }]),
  'add or roll back': add(ROLLBACK),
  'add or roll back, the graph refuses': add(ROLLBACK, [{ step: APPLY, with: 'graph refuses' }]),
  'add or roll back, the graph is away': add(ROLLBACK, [{ step: APPLY, with: 'graph away' }]),
  update: update({}),
  'update, wait for the graph': update({ waitFor: 'graph' }),
  restore: async (at) => {
    const before = await settled(at)
    const { id } = fact(at.n, 2)
    await must(at.tenant, deleting(at.n, id))
    const world = deleted(before, id)
    return { does: { request: restoring(at.n, id) }, worlds: [world, revised(world, id, { deleted: false })], about: id }
  },
  delete: remove('', deleted),
  'delete for good': remove('?hard=true', erased),
  'delete for good, keep its entities': remove('?hard=true&cascadeGraph=false', (world, id) => ({
    ...erased(world, id),
    people: world.memories.filter((known) => known.id === id).flatMap((known) => known.people),
  })),
  'add a batch in two parts': batch(PART + 2, {}, false),
  'add a batch, wait for the graph': batch(3, { waitFor: 'graph' }, false),
  'add a batch, all or nothing': batch(3, {}, true),
}
