import type { Asked } from '../stage.ts'
import { fact, key, must, settled, someone, USER } from './facts.ts'
import type { Ground, Setting } from './scene.ts'

async function entityOf({ tenant }: Ground, name: string): Promise<string> {
  const { items } = await must(tenant, { method: 'GET', path: `/v1/graph/entities?subject=${USER}&q=${name}` })
  return items[0].id
}

async function merging(at: Ground, [from, into]: readonly [string, string], more: object = {}): Promise<Asked> {
  const body = { into: await entityOf(at, into), ...more }
  return { method: 'POST', path: `/v1/graph/entities/${await entityOf(at, from)}/merge`, body, headers: key(at.n) }
}

/** Of the first memory that is settled, of the second, and of both. */
const [FIRST, SECOND, BOTH] = [someone(1), someone(2), 'Bob']

/** What callers do with entities. */
export const entities: Record<string, Setting> = {
  'make entities': async (at) => {
    const world = await settled(at)
    const entities = [{ type: 'person', value: 'Eve', subject: USER }]
    const request = { method: 'POST', path: '/v1/graph/entities', body: { entities }, headers: key(at.n) }
    return { does: { request }, worlds: [world, { ...world, people: ['Eve'] }] }
  },
  'link entities, wait for the graph': async (at) => {
    const world = await settled(at)
    const end = (value: string) => ({ type: 'person', value, subject: USER })
    const links = [{ from: end('Eve'), type: 'knows', to: end('Bob') }]
    const request = { method: 'POST', path: '/v1/graph/links', body: { links, waitFor: 'graph' }, headers: key(at.n) }
    return { does: { request }, worlds: [world, { ...world, people: ['Eve', 'Bob'], links: [['Eve', 'Bob']] }] }
  },
  'merge entities': async (at) => {
    const world = await settled(at)
    const pair = [SECOND, FIRST] as const
    return { does: { request: await merging(at, pair) }, worlds: [world, { ...world, merged: [pair] }], about: fact(at.n, 2).id }
  },
  'merge entities of one memory, wait for the graph': async (at) => {
    const world = await settled(at)
    const pair = [FIRST, BOTH] as const
    const request = await merging(at, pair, { waitFor: 'graph' })
    return { does: { request }, worlds: [world, { ...world, merged: [pair] }], about: fact(at.n, 1).id }
  },
  'take a merger back': async (at) => {
    const world = await settled(at)
    const pair = [SECOND, FIRST] as const
    const request = await merging(at, pair, { waitFor: 'graph' })
    await must(at.tenant, { ...request, headers: key(at.n, 'before') })
    const back = { method: 'POST', path: request.path.replace(/merge$/, 'unmerge'), body: {}, headers: key(at.n) }
    return { does: { request: back }, worlds: [{ ...world, merged: [pair] }, world], about: fact(at.n, 2).id }
  },
}
