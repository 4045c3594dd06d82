import { deleted, erased, revised, type World, withMemories } from '../world.ts'
import { adding, anew, fact, key, must, settled, USER, updating } from './facts.ts'
import type { Ground, Setting } from './scene.ts'

const DAY_MS = 24 * 3600_000

const deletingAll = (n: number, which: object) => ({ method: 'POST', path: '/v1/memories/delete', body: which, headers: key(n) })

const settingPolicy = (n: number, body: object, what?: string, namespace = USER) => ({
  ...{ method: 'PUT', path: `/v1/namespaces/${namespace}/policy`, body, headers: key(n, what) },
})

const POLICY = [`policy of ${USER}`]
const POLICY_ABOVE = ['policy of user']

/** Beside what is settled two memories that a filter picks. */
async function imported(at: Ground): Promise<{ world: World; ids: string[] }> {
  const { tenant, n } = at
  const before = await settled(at)
  const two = [fact(n, 3), fact(n, 4)]
  const metadata = { source: 'import' }
  for (const known of two) await must(tenant, { ...adding(n, known, { metadata, waitFor: 'graph' }), headers: key(n, known.id) })
  return { world: withMemories(before, ...two), ids: two.map(({ id }) => id) }
}

/** Beside what is settled something that happened two days ago. */
async function happened(at: Ground): Promise<{ world: World; id: string }> {
  const { stage, tenant, n } = at
  const before = await settled(at)
  const known = fact(n, 3)
  await must(tenant, { ...adding(n, known, { type: 'episodic', waitFor: 'graph' }), headers: key(n, 'happened') })
  stage.pass(2 * DAY_MS)
  return { world: withMemories(before, known), id: known.id }
}

const IMPORTED = { filter: { source: { eq: 'import' } } }
const A_DAY = { episodicDays: 1 }
const A_WEEK = { episodicDays: 7 }

/** What is deleted, expires or is squashed by where it lies. */
export const namespaces: Record<string, Setting> = {
  'delete what a filter picks': async (at) => {
    const { world, ids } = await imported(at)
    const request = deletingAll(at.n, { namespacePrefix: USER, ...IMPORTED })
    return { does: { request }, worlds: [world, ids.reduce(deleted, world)], about: ids[0] as string }
  },
  'delete what a filter picks for good': async (at) => {
    const { world, ids } = await imported(at)
    const request = deletingAll(at.n, { namespace: USER, hard: true, ...IMPORTED })
    return { does: { request }, worlds: [world, ids.reduce(erased, world)], about: fact(at.n, 2).id }
  },
  'set a policy': async (at) => {
    const { world, id } = await happened(at)
    const request = settingPolicy(at.n, A_DAY)
    return { does: { request }, worlds: [world, { ...deleted(world, id), settings: POLICY }], about: id }
  },
  'delete a policy, what is above it applies': async (at) => {
    const { world, id } = await happened(at)
    await must(at.tenant, settingPolicy(at.n, A_WEEK, 'before'))
    await must(at.tenant, settingPolicy(at.n, A_DAY, 'above', 'user'))
    const request = { method: 'DELETE', path: `/v1/namespaces/${USER}/policy`, headers: key(at.n) }
    const before = { ...world, settings: [...POLICY_ABOVE, ...POLICY] }
    return { does: { request }, worlds: [before, { ...deleted(world, id), settings: POLICY_ABOVE }], about: fact(at.n, 2).id }
  },
  'apply a policy, and expire': async (at) => {
    const { world, id } = await happened(at)
    await must(at.tenant, settingPolicy(at.n, A_DAY, 'before'))
    // As if it had been written by the former policy while that was changed.
    await at.stage.owner(`update twofold.memories set fades_at = $1::timestamptz where id = $2::uuid`, [
      new Date(at.stage.deps.now().getTime() + DAY_MS).toISOString(),
      id,
    ])
    const before = { ...world, settings: POLICY }
    return { does: { schedule: 'expire' }, worlds: [before, deleted(before, id)], about: id }
  },
  'squash versions': async (at) => {
    const { stage, tenant, n } = at
    const before = await settled(at)
    const { id } = fact(n, 2)
    const versions = [anew(n, { id }), { content: `newer${n} is of Zoe and Bob`, people: ['Zoe', 'Bob'] }]
    for (const [i, next] of versions.entries())
      await must(tenant, { ...updating(n, { ...fact(n, 2), ...next }, { waitFor: 'graph' }), headers: key(n, `version-${i}`) })
    await must(tenant, settingPolicy(n, { keepVersions: 1 }, 'before'))
    stage.pass(2 * DAY_MS)
    const world = versions.reduce((world, next) => revised(world, id, next), before)
    return { does: { schedule: 'expire' }, worlds: [{ ...revised(world, id, { version: 3, squashed: 2 }), settings: POLICY }], about: id }
  },
}
