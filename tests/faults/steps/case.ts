import assert from 'node:assert/strict'
import type { Tamperer } from '../../consistency/tamper.ts'
import { agree, look, standing } from './look.ts'
import { deleting, restoring, updating } from './scenes/facts.ts'
import type { Scene, Setting } from './scenes/scene.ts'
import type { Site } from './sites.ts'
import { type Stage, type Tenant, withKey } from './stage.ts'
import type { Stop } from './stepped.ts'
import type { Act, Done } from './victim.ts'
import { erased, revised, type World } from './world.ts'

/** What a user does with a memory while the process that was writing it stands still. */
export type Meanwhile = 'change' | 'erase'

export interface Cases {
  /** Lets the scene go through undisturbed. Answers the places it came by, in order. */
  record(setting: Setting): Promise<string[]>
  /** Lets it be stopped, and throws unless everything heals and no promise is broken. */
  stop(setting: Setting, stop: Stop, meanwhile?: Meanwhile): Promise<void>
}

/** Cases on one stage, each with a tenant of its own. */
export function cases(stage: Stage, sites: readonly Site[], tamperer: Tamperer): Cases {
  let n = 0
  const atOf = (step: string): string => {
    const site = sites.find(({ name }) => name === step)
    if (!site) throw new Error(`there is no step "${step}"`)
    return site.at
  }

  async function begin(setting: Setting) {
    const tenant = await stage.tenant()
    const jobOf = (does: Scene['does'], stop: Stop | null, failing: Scene['failing'] = []) => ({
      ...{ act: actOf(does, tenant), tenant: tenant.id, stop },
      failing: failing.map((each) => ({ at: atOf(each.step), with: each.with })),
    })
    const scene = await setting({
      ...{ stage, tenant, tamperer, n: ++n },
      async die(does, before) {
        const { how } = await stage.victims.run(jobOf(does, { at: atOf(before), nth: 1, moment: 'before', how: 'kill' }))
        assert.equal(how, 'killed')
      },
    })
    return { tenant, scene, run: (stop: Stop | null) => stage.victims.run(jobOf(scene.does, stop, scene.failing)) }
  }

  /** The same request again, which must find or make what it was to make. */
  async function again(tenant: Tenant, { does, nothingToDo }: Scene): Promise<void> {
    if (!('request' in does)) return
    const { status, json } = await tenant.ask(does.request)
    const fine = (status < 300 && !json.result?.isError) || status === nothingToDo
    assert(fine, `the same request, sent again, was answered ${status}: ${JSON.stringify(json)}`)
  }

  const caching = ({ at }: Stop): boolean => sites.some((site) => site.at === at && site.name.endsWith('cache.storeEmbeddings'))
  const unbegun = async ({ id }: Tenant): Promise<boolean> => {
    const runs = await stage.owner(
      'select r.id::text from twofold.sync_runs r join twofold.tenants t on t.id = r.tenant_id where t.uuid = $1',
      [id],
    )
    return runs.length === 0
  }

  /** What runs by itself; a schedule that died is begun again. */
  const sweep = (tenant: Tenant, { does }: Scene): Promise<void> => stage.sweep(tenant, 'schedule' in does ? does.schedule : undefined)

  return {
    async record(setting) {
      const { tenant, scene, run } = await begin(setting)
      const outcome = await run(null)
      assert(outcome.how === 'done')
      const { passed, status, text } = outcome.done
      const fails = (scene.failing ?? []).length > 0
      assert(fails || status < 300, `undisturbed it was answered ${status}: ${text}`)
      const { worlds } = scene
      await look(stage, tenant, worlds, { from: fails ? 0 : worlds.length - 1 })
      await sweep(tenant, scene)
      await again(tenant, scene)
      await sweep(tenant, scene)
      const at = await standing(stage, tenant, worlds, 0)
      assert(at >= endOf(scene, 0), 'sent again, it did not come to its end')
      await agree(stage, tenant, worlds[at] as World)
      await stage.forget(tenant)
      return passed
    },

    async stop(setting, stop, meanwhile = 'change') {
      const { tenant, scene, run } = await begin(setting)
      const outcome = await run(stop)
      assert.equal(outcome.how, stop.how === 'kill' ? 'killed' : 'frozen', 'it did not come by')
      const { worlds, steady } = scene
      const from = await look(stage, tenant, worlds, { steady })
      await sweep(tenant, scene)
      await look(stage, tenant, worlds, { from, steady })
      const at = await standing(stage, tenant, worlds, from)
      if (outcome.how === 'killed' && !(scene.differing && (await unbegun(tenant)))) await agree(stage, tenant, worlds[at] as World)
      await again(tenant, scene)
      const end = endOf(scene, at)
      if (outcome.how !== 'frozen') {
        await look(stage, tenant, worlds, { from: end, steady })
        if (at !== end || endless(scene)) {
          await sweep(tenant, scene)
          await agree(stage, tenant, worlds[end] as World)
        }
        return stage.forget(tenant)
      }
      const world = await goOn(tenant, worlds[end] as World, scene, meanwhile)
      await sweep(tenant, scene)
      await look(stage, tenant, [world])
      expectNothingNew(await outcome.thaw())
      await look(stage, tenant, [world])
      await sweep(tenant, scene)
      await agree(stage, tenant, world, { late: caching(stop) })
      await stage.forget(tenant)
    },
  }

  /** What a user does meanwhile, and what is true then. */
  async function goOn(tenant: Tenant, world: World, scene: Scene, meanwhile: Meanwhile): Promise<World> {
    const { about, later } = scene
    const must = async (asked: Parameters<Tenant['ask']>[0]) => {
      const { status, json } = await tenant.ask(asked)
      assert(status < 300, `${asked.method} ${asked.path} was answered ${status}: ${JSON.stringify(json)}`)
    }
    if (later) {
      for (const asked of later.does) await must(asked)
      return later.world
    }
    const known = world.memories.find(({ id }) => id === about)
    if (!known) return world
    if (meanwhile === 'erase') {
      await must(deleting(n, known.id, '?hard=true'))
      return erased(world, known.id)
    }
    if (known.deleted) {
      // What a policy ended is deleted by the sweep, as a version of its own; restored before, it would be one version less.
      const [ended] = await stage.owner('select 1 from twofold.memories where id = $1::uuid and deleted_at is null', [known.id])
      if (ended) await sweep(tenant, scene)
      await must(restoring(n, known.id))
      return revised(world, known.id, { deleted: false, by: undefined })
    }
    const next = { content: `later ${known.content}`, people: ['Dan', 'Bob'], apart: false }
    await must({ ...updating(n, { ...known, ...next }), headers: { 'idempotency-key': `${n}-later` } })
    return revised(world, known.id, next)
  }
}

/** A request is sent again until it is done; what nobody asked for ends where it has come to. */
const endOf = ({ does, worlds }: Scene, at: number): number => ('request' in does ? worlds.length - 1 : at)

/** Whether the same again does something again. */
const endless = ({ does }: Scene): boolean => 'request' in does && does.request.path.startsWith('/api/persistence')

/** Whatever it was told in the end is an answer that a caller can be given. */
function expectNothingNew({ status, text }: Done): void {
  assert(status < 500 || status > 502, `a thawed process answered ${status}: ${text}`)
}

function actOf(does: Scene['does'], tenant: Tenant): Act {
  if ('request' in does) return { request: withKey(does.request, tenant.key) }
  return 'queue' in does ? { queue: { tenant: tenant.id, ids: does.queue } } : does
}
