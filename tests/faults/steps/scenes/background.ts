import { deleted, erased, revised, type World, withMemories } from '../world.ts'
import { adding, anew, deleting, fact, key, must, said, settled, updating } from './facts.ts'
import type { Ground, Scene, Setting } from './scene.ts'
import { APPLY, LEASE, ROLLBACK } from './writes.ts'

const DAY_MS = 24 * 3600_000

/** Something new, something changed and something deleted for good, all of it owed. */
async function owing(at: Ground): Promise<{ world: World; ids: string[] }> {
  const { tenant, n } = at
  const before = await settled(at)
  const [first, second, third] = [fact(n, 1), fact(n, 2), fact(n, 3)]
  await must(tenant, { ...adding(n, third), headers: key(n, 'owed') })
  await must(tenant, updating(n, { ...second, ...anew(n, second) }))
  await must(tenant, deleting(n, first.id, '?hard=true'))
  const world = erased(revised(withMemories(before, third), second.id, anew(n, second)), first.id)
  return { world, ids: [first.id, second.id, third.id] }
}

/** What the graph refused in every attempt, a day ago. */
async function parked(at: Ground): Promise<Omit<Scene, 'does'>> {
  const { stage, tenant, n } = at
  const before = await settled(at)
  const known = fact(n, 3)
  await must(tenant, { ...adding(n, known), headers: key(n, 'owed') })
  await stage.owner(`update twofold.ledger set parked_at = $1::timestamptz, failure = 'apply failed' where id = $2::uuid`, [
    stage.deps.now().toISOString(),
    known.id,
  ])
  stage.pass(DAY_MS + 61_000)
  return { worlds: [withMemories(before, known)], about: known.id }
}

/** What no request waits for. */
export const background: Record<string, Setting> = {
  'write what the queue says': async (at) => {
    const { world, ids } = await owing(at)
    return { does: { queue: ids }, worlds: [world], about: fact(at.n, 2).id }
  },
  'relay what a lost nudge left': async (at) => {
    const { world } = await owing(at)
    at.stage.pass(61_000)
    return { does: { schedule: 'relay' }, worlds: [world], about: fact(at.n, 2).id }
  },
  'relay a write whose request died': async (at) => {
    const world = await settled(at)
    const known = fact(at.n, 3)
    await at.die({ request: adding(at.n, known, ROLLBACK) }, LEASE)
    at.stage.pass(61_000)
    return { does: { schedule: 'relay' }, worlds: [world, withMemories(world, known)], about: known.id }
  },
  'relay a write whose request died, the graph refuses': async (at) => {
    const world = await settled(at)
    const known = fact(at.n, 3)
    await at.die({ request: adding(at.n, known, ROLLBACK) }, LEASE)
    at.stage.pass(61_000)
    const failing = [{ step: APPLY, with: 'graph refuses' as const }]
    return { does: { schedule: 'relay' }, worlds: [world, withMemories(world, known)], failing }
  },
  'expire and collect': async (at) => {
    const { stage, tenant, n } = at
    const before = await settled(at)
    const [first, known] = [fact(n, 1), fact(n, 3, ['Zoe'])]
    const expiresAt = new Date(stage.deps.now().getTime() + 30_000).toISOString()
    await must(tenant, { ...adding(n, known, { waitFor: 'graph', expiresAt }), headers: key(n, 'before') })
    await must(tenant, deleting(n, first.id, '?hard=true'))
    stage.pass(61_000)
    return {
      does: { schedule: 'expire' },
      worlds: [erased(deleted(withMemories(before, known), known.id), first.id)],
      about: fact(n, 2).id,
    }
  },
  'purge what was kept for long enough': async (at) => {
    const before = await settled(at)
    const [{ id }, other] = [fact(at.n, 1), fact(at.n, 2)]
    await must(at.tenant, deleting(at.n, id, '?hard=true'))
    await must(at.tenant, { method: 'POST', path: '/api/persistence/sync', body: { operation: 'check' } })
    await at.stage.sweep(at.tenant)
    at.stage.pass(31 * DAY_MS)
    return { does: { schedule: 'purge' }, worlds: [erased(before, id)], about: other.id }
  },
  'make up what models owe': async (at) => {
    const before = await settled(at)
    const known = fact(at.n, 3)
    const { namespace, id, content } = said(known)
    const asked = { method: 'POST', path: '/v1/memories', body: { namespace, id, content }, headers: key(at.n, 'owed') }
    await at.stage.withoutModels(() => must(at.tenant, asked))
    return { does: { schedule: 'reembed' }, worlds: [withMemories(before, { ...known, owes: true })] }
  },

  'offer again what the graph refused': async (at) => ({ ...(await parked(at)), does: { schedule: 'poison' } }),
  'offer again at once what the graph refused': async (at) => {
    const request = { method: 'POST', path: `/api/persistence/parked/${fact(at.n, 3).id}/retry`, body: {} }
    return { ...(await parked(at)), does: { request }, nothingToDo: 404 }
  },
  measure: async (at) => ({ worlds: [await settled(at)], about: fact(at.n, 2).id, does: { schedule: 'measure' } }),
}
