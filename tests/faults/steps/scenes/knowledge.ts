import type { Asked } from '../stage.ts'
import { deleted, type Known, revised, saying, type World, withMemories } from '../world.ts'
import { adding, fact, key, must, restoring, settled, someone, USER, updating } from './facts.ts'
import type { Ground, Scene, Setting } from './scene.ts'

/** As a client of 2025 asks for a tool. It knows of no idempotency key. */
const calling = (name: string, given: object): Asked => ({
  ...{ method: 'POST', path: `/mcp?namespace=${USER}`, headers: { accept: 'application/json, text/event-stream' } },
  body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } },
})

/** Of the first memory that is settled; the second is of somebody else, and both of Bob. */
const [FIRST, SECOND] = [someone(1), someone(2)]

/** Beside what is settled a memory of the first alone. */
async function alone(at: Ground): Promise<World> {
  const before = await settled(at)
  const known = fact(at.n, 3, [FIRST])
  await must(at.tenant, { ...adding(at.n, known, { waitFor: 'graph' }), headers: key(at.n, 'alone') })
  return withMemories(before, known)
}

async function linked({ tenant, n }: Ground, world: World, from: string, to: string): Promise<World> {
  const end = (value: string) => ({ type: 'person', value, subject: USER })
  const body = { links: [{ from: end(from), type: 'knows', to: end(to) }], waitFor: 'graph' }
  await must(tenant, { method: 'POST', path: '/v1/graph/links', body, headers: key(n, 'link') })
  return { ...world, people: [from, to], links: [[from, to]] }
}

/** As it is list after list. */
async function forgetting(at: Ground) {
  const before = await linked(at, await alone(at), FIRST, SECOND)
  const without = deleted(before, fact(at.n, 3).id)
  const unmentioned = revised(without, fact(at.n, 1).id, { people: ['Bob'] })
  const worlds = [before, without, unmentioned, { ...unmentioned, people: [SECOND], links: [] }]
  return { does: { request: calling('delete_entities', { entityNames: [FIRST] }) }, worlds }
}

/** What the tools know of somebody: a memory about him, and about nobody else. */
const observed = (n: number, name: string): Known => ({ ...saying(`paints${n} all day`, [name]), about: true })

/** The user takes what was deleted back, and lets it be of others. */
function ofOthers({ n }: Ground, world: World): NonNullable<Scene['later']> {
  const { id } = fact(n, 3)
  const next = { content: `later fact${n}x3`, people: ['Dan', 'Bob'] }
  const does = [restoring(n, id), updating(n, { ...fact(n, 3), ...next })]
  return { does, world: revised(revised(world, id, { deleted: false }), id, next) }
}

export const knowledge: Record<string, Setting> = {
  'make an entity that a memory mentions, with an observation': async (at) => {
    const before = await settled(at)
    const seen = observed(at.n, FIRST)
    const request = calling('create_entities', { entities: [{ name: FIRST, entityType: 'person', observations: [seen.content] }] })
    // Between the two it is there as well, but only for as long as something mentions it.
    const after: World = { ...withMemories(before, seen), people: [FIRST] }
    return { does: { request }, worlds: [before, after], about: fact(at.n, 1).id }
  },
  'add an observation': async (at) => {
    const before = await settled(at)
    const seen = observed(at.n, FIRST)
    const request = calling('add_observations', { observations: [{ entityName: FIRST, contents: [seen.content] }] })
    return { does: { request }, worlds: [before, withMemories(before, seen)], about: fact(at.n, 1).id }
  },
  'make a relation': async (at) => {
    const before = await settled(at)
    const request = calling('create_relations', { relations: [{ from: FIRST, to: SECOND, relationType: 'knows' }] })
    const after: World = { ...before, people: [FIRST, SECOND], links: [[FIRST, SECOND]] }
    return { does: { request }, worlds: [before, after], about: fact(at.n, 2).id }
  },
  'delete an entity, go on with what it had alone': async (at) => {
    const { does, worlds } = await forgetting(at)
    return { does, worlds, later: ofOthers(at, worlds.at(-1) as World) }
  },
  'delete an entity, go on with what it shared': async (at) => ({ ...(await forgetting(at)), about: fact(at.n, 1).id }),
  'delete an observation': async (at) => {
    const before = await alone(at)
    const { id, content } = fact(at.n, 3, [FIRST])
    const request = calling('delete_observations', { deletions: [{ entityName: FIRST, observations: [content] }] })
    const after = deleted(before, id)
    return { does: { request }, worlds: [before, after], later: ofOthers(at, after) }
  },
  'delete a relation': async (at) => {
    const before = await linked(at, await settled(at), FIRST, 'Bob')
    const { id } = fact(at.n, 1)
    const request = calling('delete_relations', { relations: [{ from: FIRST, to: 'Bob', relationType: 'knows' }] })
    const unlinked = { ...before, links: [] }
    return { does: { request }, worlds: [before, unlinked, revised(unlinked, id, { apart: true })], about: id }
  },
}
