import { type Known, superseded, type World, withMemories } from '../world.ts'
import { adding, fact, key, must, settled, USER } from './facts.ts'
import type { Ground, Setting } from './scene.ts'

/** Two memories that say the same, and what it is when the second is merged into the first. */
async function alike(at: Ground): Promise<{ worlds: World[]; kept: string; merged: string }> {
  const { tenant, n } = at
  const before = await settled(at)
  const kept = fact(n, 3)
  const same = { ...fact(n, 4, kept.people), content: `${kept.content}.` }
  for (const known of [kept, same]) await must(tenant, { ...adding(n, known, { waitFor: 'graph' }), headers: key(n, known.id) })
  const world = withMemories(before, kept, same)
  return { worlds: [world, superseded(world, same.id, kept.id)], kept: kept.id, merged: same.id }
}

/** Two memories of which the model says that the second is so in the place of the first. */
async function outdated(at: Ground): Promise<{ worlds: World[]; kept: string; merged: string }> {
  const { stage, tenant, n } = at
  const before = await settled(at)
  const [old, anew] = [fact(n, 3), fact(n, 4)]
  for (const known of [old, anew]) await must(tenant, { ...adding(n, known, { waitFor: 'graph' }), headers: key(n, known.id) })
  stage.say(({ texts }: { texts: { number: number; text: string }[] }) => {
    const numberOf = ({ content }: Known) => texts.find(({ text }) => text === content)?.number
    const [keep, merge] = [numberOf(anew), numberOf(old)]
    return { groups: keep && merge ? [{ keep, merge: [merge], reason: 'contradiction' }] : [] }
  })
  const world = withMemories(before, old, anew)
  return { worlds: [world, superseded(world, old.id, anew.id)], kept: anew.id, merged: old.id }
}

const consolidating = (n: number, strategy: string) => ({
  ...{ method: 'POST', path: '/v1/memories/consolidate', body: { namespace: USER, strategy }, headers: key(n) },
})

const byItself = (n: number, what?: string, strategy = 'exact') => ({
  ...{ method: 'PUT', path: `/v1/namespaces/${USER}/consolidation`, body: { strategy }, headers: key(n, what) },
})

const CONSOLIDATED = [`consolidation of ${USER}`]

export const consolidation: Record<string, Setting> = {
  consolidate: async (at) => {
    const { worlds, merged } = await alike(at)
    return { does: { request: consolidating(at.n, 'exact') }, worlds, about: merged }
  },
  'consolidate, go on with what is kept': async (at) => {
    const { worlds, kept } = await alike(at)
    return { does: { request: consolidating(at.n, 'similar') }, worlds, about: kept }
  },
  'consolidate by a model': async (at) => {
    const { worlds, merged } = await outdated(at)
    return { does: { request: consolidating(at.n, 'model') }, worlds, about: merged }
  },
  'consolidate what is due by a model': async (at) => {
    const { worlds, kept } = await outdated(at)
    await must(at.tenant, byItself(at.n, 'before', 'model'))
    return { does: { schedule: 'consolidate' }, worlds: worlds.map((world) => ({ ...world, settings: CONSOLIDATED })), about: kept }
  },
  'have a namespace consolidated': async (at) => {
    const world = await settled(at)
    return { does: { request: byItself(at.n) }, worlds: [world, { ...world, settings: CONSOLIDATED }], about: fact(at.n, 2).id }
  },
  'consolidate what is due': async (at) => {
    const { worlds, merged } = await alike(at)
    await must(at.tenant, byItself(at.n, 'before'))
    return { does: { schedule: 'consolidate' }, worlds: worlds.map((world) => ({ ...world, settings: CONSOLIDATED })), about: merged }
  },
  'consolidate what is due, go on with what is kept': async (at) => {
    const { worlds, kept } = await alike(at)
    await must(at.tenant, byItself(at.n, 'before'))
    return { does: { schedule: 'consolidate' }, worlds: worlds.map((world) => ({ ...world, settings: CONSOLIDATED })), about: kept }
  },
}
