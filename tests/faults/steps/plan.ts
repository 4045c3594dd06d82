import type { Meanwhile } from './case.ts'
import type { Site } from './sites.ts'
import type { Stop } from './stepped.ts'

/** One process that is stopped at one step. */
export interface Planned {
  scene: string
  step: string
  stop: Stop
  meanwhile: Meanwhile
}

/** The places that each scene came by, in order. */
export type Recorded = ReadonlyMap<string, readonly string[]>

const MOMENTS = ['before', 'after'] as const
const HOWS = ['kill', 'freeze'] as const
const MEANWHILE = ['change', 'erase'] as const

/** Steps that no scene comes by, and places that no step is known for. */
export function unknown(recorded: Recorded, sites: readonly Site[]): string[] {
  const passed = new Set([...recorded.values()].flat())
  const known = new Set(sites.map(({ at }) => at))
  return [...sites.filter(({ at }) => !passed.has(at)).map(({ name }) => name), ...[...passed].filter((at) => !known.has(at))]
}

/** Every step of every scene, each time it is come by, before and after, killed and frozen. */
export function everything(recorded: Recorded, sites: readonly Site[]): Planned[] {
  const planned: Planned[] = []
  for (const [scene, passed] of recorded) {
    for (const [i, at] of passed.entries()) {
      const nth = passed.slice(0, i + 1).filter((each) => each === at).length
      for (const moment of MOMENTS)
        for (const how of HOWS)
          planned.push({ scene, step: nameOf(sites, at), stop: { at, nth, moment, how }, meanwhile: turn(MEANWHILE, i, moment) })
    }
  }
  return planned
}

/** The ways in which a step may be met, as they take turns: of those that stand still meanwhile, one in two is changed and one erased. */
const WAYS = MEANWHILE.flatMap((meanwhile) => MOMENTS.flatMap((moment) => HOWS.map((how) => ({ moment, how, meanwhile }))))

/** Every step once, killed before it, frozen before it, killed after it and frozen after it by turns, each in another of the scenes that come by. */
export function once(recorded: Recorded, sites: readonly Site[]): Planned[] {
  const taken = new Map<string, number>()
  return sites.map(({ at, name }, i) => {
    const scenes = [...recorded].filter(([, passed]) => passed.includes(at)).map(([scene]) => scene)
    const scene = scenes.sort((a, b) => (taken.get(a) ?? 0) - (taken.get(b) ?? 0))[0] as string
    taken.set(scene, (taken.get(scene) ?? 0) + 1)
    const { moment, how, meanwhile } = WAYS[i % WAYS.length] as (typeof WAYS)[number]
    return { scene, step: name, stop: { at, nth: 1, moment, how }, meanwhile }
  })
}

const nameOf = (sites: readonly Site[], at: string): string => sites.find((site) => site.at === at)?.name ?? at

const turn = <T>(of: readonly T[], i: number, moment: Stop['moment']): T => of[(i + (moment === 'after' ? 1 : 0)) % of.length] as T

export const describe = ({ scene, step, stop, meanwhile }: Planned): string =>
  `${scene}: ${stop.how === 'kill' ? 'killed' : `frozen (${meanwhile})`} ${stop.moment} ${step}${stop.nth > 1 ? `, time ${stop.nth}` : ''}`
