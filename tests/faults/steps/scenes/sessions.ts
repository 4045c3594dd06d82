import type { Asked } from '../stage.ts'
import { revised, type World, withMemories } from '../world.ts'
import { adding, fact, key, must, said, settled } from './facts.ts'
import type { Ground, Setting } from './scene.ts'

const SESSION = '/v1/sessions/talk'

const starting = (n: number, what?: string): Asked => ({
  ...{ method: 'POST', path: '/v1/sessions', body: { id: 'talk', userId: 'alice', appName: 'test' }, headers: key(n, what) },
})

const inSession = (world: World, status: string, events = 0): World => ({ ...world, sessions: [{ name: 'talk', status, events }] })

/** Beside what is settled a session that has begun. */
async function begun(at: Ground): Promise<World> {
  const before = await settled(at)
  await must(at.tenant, starting(at.n, 'before'))
  return before
}

/** More memories than one transaction takes from a session. */
const MANY = 501
const AT_ONCE = 500

export const sessions: Record<string, Setting> = {
  'start a session': async (at) => {
    const known = { ...fact(at.n, 3), session: 'talk' }
    const before = await settled(at)
    await must(at.tenant, { ...adding(at.n, known, { waitFor: 'graph' }), headers: key(at.n, 'before') })
    const world = withMemories(before, known)
    return { does: { request: starting(at.n) }, worlds: [world, inSession(world, 'created')], about: known.id }
  },
  'move a session': async (at) => {
    const before = await begun(at)
    const request = { method: 'PATCH', path: SESSION, body: { status: 'active' }, headers: key(at.n) }
    return { does: { request }, worlds: [inSession(before, 'created'), inSession(before, 'active')], about: fact(at.n, 2).id }
  },
  'append to a session': async (at) => {
    const before = await begun(at)
    const body = { events: [{ type: 'asked' }, { type: 'answered' }], stateDelta: { step: 2 } }
    const request = { method: 'POST', path: `${SESSION}/events`, body, headers: key(at.n) }
    return { does: { request }, worlds: [inSession(before, 'created'), inSession(before, 'created', 2)] }
  },
  'end a session': async (at) => {
    const before = await begun(at)
    const request = { method: 'POST', path: `${SESSION}/terminate`, body: {}, headers: key(at.n) }
    return { does: { request }, worlds: [inSession(before, 'created'), inSession(before, 'terminated')] }
  },
  'delete a session': async (at) => {
    const known = { ...fact(at.n, 3), session: 'talk' }
    const before = withMemories(await begun(at), known)
    await must(at.tenant, { ...adding(at.n, known, { waitFor: 'graph' }), headers: key(at.n, 'added') })
    const request = { method: 'DELETE', path: SESSION, headers: key(at.n) }
    const after = revised(before, known.id, { session: undefined })
    return { does: { request }, worlds: [inSession(before, 'created'), after], about: known.id }
  },
  'delete a session of many memories': async (at) => {
    const many = Array.from({ length: MANY }, (_, i) => ({ ...fact(at.n, 3 + i, []), session: 'talk' }))
    const before = withMemories(await begun(at), ...many)
    for (const [i, items] of [many.slice(0, AT_ONCE), many.slice(AT_ONCE)].entries())
      await must(at.tenant, {
        method: 'POST',
        path: '/v1/memories/batch',
        body: { items: items.map(said) },
        headers: key(at.n, `added-${i}`),
      })
    const request = { method: 'DELETE', path: SESSION, headers: key(at.n) }
    const unlinked = (some: typeof many) => some.reduce((world, { id }) => revised(world, id, { session: undefined }), before)
    const worlds = [inSession(before, 'created'), inSession(unlinked(many.slice(0, AT_ONCE)), 'created'), unlinked(many)]
    return { does: { request }, worlds, about: many[0]?.id as string }
  },
}
