import { readGeneration } from '@twofold/core/graph/query.sql.ts'
import type { Asked } from '../stage.ts'
import { NOTHING, type World, withMemories } from '../world.ts'
import { adding, fact, key, must, settled, someone, USER } from './facts.ts'
import type { Ground, Scene, Setting } from './scene.ts'

const DAY_MS = 24 * 3600_000

/** What a schedule repairs that looks at digests alone. */
const SHALLOW = ['a memory that is gone', 'a revision of the past', 'an edge that is gone']
const DAMAGES = ['a memory that is gone', 'a revision beyond every fence', 'a property that is gone', 'an edge that is gone']
/** What no schedule takes away, since somebody made it. */
const BY_HAND = 'an edge that nobody asserts'

async function damaged(at: Ground, damages: readonly string[] = DAMAGES): Promise<World> {
  const { stage, tenant, tamperer, n } = at
  const many = damages.map((_, i) => fact(n, 3 + i, [someone(i)]))
  const spare = [fact(n, 20, ['Spare']), fact(n, 21, ['Other'])]
  for (const known of [...many, ...spare]) await must(tenant, { ...adding(n, known, { waitFor: 'graph' }), headers: key(n, known.id) })
  const named = await stage.owner(
    'select e.id::text, e.value from twofold.entities e join twofold.tenants t on t.id = e.tenant_id where t.uuid = $1',
    [tenant.id],
  )
  const idOf = (value: string) => named.find((row) => row.value === value)?.id as string
  for (const [i, { id }] of many.entries()) {
    const tampering = tamperer.tamperings.find(({ name }) => name === damages[i])
    if (!tampering) throw new Error(`nobody knows how to make ${damages[i]}`)
    const fresh = fact(n, 40 + i).id
    await tamperer.run(tenant.id, tampering, { memory: id, entity: idOf(someone(i)), other: idOf('Other'), fresh })
  }
  return withMemories(NOTHING, ...many, ...spare)
}

const REBUILD = { operation: 'rebuild' }

/** Settled, owed, and changed behind the ledger's back, which a rebuild notices. */
async function rebuilding(at: Ground): Promise<Omit<Scene, 'does'>> {
  const { stage, tenant, n } = at
  const before = await settled(at)
  await must(tenant, { ...adding(n, fact(n, 3)), headers: key(n, 'owed') })
  await stage.owner('update twofold.memories set importance = 9 where id = $1::uuid', [fact(n, 1).id])
  const steady = before.memories.map(({ id }) => id)
  return { worlds: [withMemories(before, fact(n, 3))], about: fact(n, 2).id, steady, differing: true }
}

const syncing = (n: number, body: object): Asked => ({ method: 'POST', path: '/api/persistence/sync', body, headers: key(n) })

/** Repair and rebuild. */
export const consistency: Record<string, Setting> = {
  repair: async (at) => {
    const world = await damaged(at, [...DAMAGES, BY_HAND])
    return {
      does: { request: syncing(at.n, { operation: 'repair', deep: true }) },
      worlds: [world],
      about: fact(at.n, 3).id,
      differing: true,
    }
  },
  'repair and adopt': async (at) => {
    const world = await settled(at)
    const { deps } = at.stage
    const [[state]] = await deps.db.asTenant(at.tenant.id, [readGeneration])
    const { id } = fact(at.n, 40)
    const made = {
      kind: 'entity',
      id,
      revision: 1,
      subject: USER,
      bucket: Number.parseInt(id.slice(-3), 16) & 1023,
      digest: [1, 1],
    } as const
    const properties = { type: 'person', value: 'Eve', normalized: 'eve' }
    await deps.graph.apply(at.tenant.id, [{ gone: false, ...made, labels: [], properties, edges: [] }], {
      generations: state?.generations ?? [],
    })
    const request = syncing(at.n, { operation: 'repair', adopt: true })
    return { does: { request }, worlds: [world, { ...world, people: ['Eve'] }], differing: true }
  },

  rebuild: async (at) => ({ ...(await rebuilding(at)), does: { request: syncing(at.n, REBUILD) } }),
  'rebuild, the graph is away': async (at) => ({
    ...(await rebuilding(at)),
    does: { request: syncing(at.n, REBUILD) },
    failing: [{ step: 'graph/fill.ts write · graph.apply', with: 'graph away' }],
  }),
  'go on with a rebuild whose process died': async (at) => {
    const { stage, tenant, n, die } = at
    const world = await settled(at)
    await die({ request: syncing(n, REBUILD) }, 'consistency/check.ts check · db.asTenant')
    const options = { generations: [2] }
    const heads = await stage.deps.graph.heads(tenant.id, { ids: [fact(n, 1).id] }, options)
    await stage.deps.graph.prune(
      tenant.id,
      heads.map((node) => ({ node })),
      options,
    )
    stage.pass(61_000)
    return { does: { schedule: 'runs' }, worlds: [world], about: fact(n, 2).id, steady: world.memories.map(({ id }) => id) }
  },
  'take a generation away that nobody reads': async (at) => {
    const world = await settled(at)
    await must(at.tenant, syncing(at.n, REBUILD))
    at.stage.pass(61_000)
    return { does: { schedule: 'runs' }, worlds: [world], about: fact(at.n, 2).id, steady: world.memories.map(({ id }) => id) }
  },
  'look once more at a generation that is gone': async (at) => {
    const world = await settled(at)
    await must(at.tenant, syncing(at.n, REBUILD))
    await at.stage.sweep(at.tenant)
    at.stage.pass(DAY_MS)
    return { does: { schedule: 'runs' }, worlds: [world], about: fact(at.n, 2).id, steady: world.memories.map(({ id }) => id) }
  },
  'stop a rebuild': async (at) => {
    const world = await settled(at)
    await at.die({ request: syncing(at.n, REBUILD) }, 'consistency/check.ts check · db.asTenant')
    const [run] = await at.stage.owner(
      'select r.id::text from twofold.sync_runs r join twofold.tenants t on t.id = r.tenant_id where t.uuid = $1 and r.ended_at is null',
      [at.tenant.id],
    )
    at.stage.pass(61_000)
    const request = { method: 'DELETE', path: `/api/persistence/sync/${run?.id}` }
    return { does: { request }, worlds: [world], about: fact(at.n, 2).id, steady: world.memories.map(({ id }) => id) }
  },
  'rebuild a user in place': async (at) => {
    const world = await damaged(at)
    return { does: { request: syncing(at.n, { ...REBUILD, userId: 'alice' }) }, worlds: [world], about: fact(at.n, 3).id, differing: true }
  },
  'look again at what was shown': async (at) => {
    const world = await damaged(at, SHALLOW)
    at.stage.pass(61_000)
    return { does: { schedule: 'sync' }, worlds: [world], about: fact(at.n, 3).id }
  },
  'look at everything once a night': async (at) => {
    const world = await damaged(at)
    at.stage.pass(DAY_MS)
    return { does: { schedule: 'nightly' }, worlds: [world], about: fact(at.n, 3).id }
  },
}
