import type { Deps, Gauge, Places } from '@twofold/core/ports.ts'
import { HOME } from '@twofold/core/tenants/placed.ts'
import { LRUCache } from 'lru-cache'
import type { Composed } from './assemble.ts'
import type { Env } from './env.ts'

/** Routes that a process remembers: who was found to live where. */
const MOST_ROUTES = 100_000

/** The configuration as it is at one place: its own database and graph, and all else as at home. */
export const envAt = (env: Env, name: string): Env => ({
  ...env,
  ...{ DATABASE_HTTP_URL: undefined, NEO4J_URI: undefined, NEO4J_PASSWORD: undefined, PLACES: {}, PLACES_NEO4J: {} },
  ...given(env.PLACES[name]),
  ...given(env.PLACES_NEO4J[name]),
})

/**
 * The places of this configuration as `home` sees them, each opened by the first who needs it. `open` builds what a place has of its
 * own. Also what is to be done for all that are open: note what they have to note, close.
 */
export function placesOf(env: Env, open: (name: string) => Promise<Composed>) {
  const opened = new Map<string, Promise<Composed>>()
  // Its room is taken at once, which is a tenth of what a function's start costs; most deployments have no other place.
  let routes: LRUCache<string, string> | undefined
  const names = [HOME, ...Object.keys(env.PLACES)]
  let home: Deps

  async function at(name: string): Promise<Deps> {
    if (name === HOME) return home
    let there = opened.get(name)
    if (!there) {
      // What could not be opened is tried again by the next.
      there = open(name).catch((error) => {
        opened.delete(name)
        throw error
      })
      opened.set(name, there)
    }
    return (await there).deps
  }
  const seenFrom = (here: string): Places => ({
    ...{ here, names },
    at: (name) => (names.includes(name) ? at(name) : null),
    of: (who) => routes?.get(who) ?? null,
    found(who, place) {
      routes ??= new LRUCache({ max: MOST_ROUTES })
      routes.set(who, place)
    },
  })
  const each = async (work: (made: Composed) => Promise<unknown>) =>
    void (await Promise.all([...opened.values()].map(async (made) => work(await made))))
  return {
    seenFrom,
    /** Must be said before anybody asks. */
    homeIs(deps: Deps) {
      home = deps
    },
    flush: () => each(({ deps }) => deps.audit.flush()),
    close: () => each((made) => made.close()),
  }
}

/** What is set, as far as it is. */
const given = <T extends object>(variables: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(variables ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>

/** What alarms look at speaks of all places together: the least agreement and the oldest debt of any, the sum of what is counted. */
export function together(set: Deps['gauge']): (place: string) => Deps['gauge'] {
  const known = new Map<Gauge, Map<string, number | null>>()
  return (place) => (name, value) => {
    const values = known.get(name) ?? new Map<string, number | null>()
    known.set(name, values.set(place, value))
    const numbers = [...values.values()].filter((each) => each !== null)
    set(name, numbers.length === 0 ? null : (COMBINED[name] ?? sum)(numbers))
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0)
const least = (numbers: readonly number[]): number => Math.min(...numbers)
const COMBINED: Partial<Record<Gauge, (numbers: readonly number[]) => number>> = {
  twofold_agreement_min_percent: least,
  twofold_measured_at_seconds: least,
  twofold_oldest_owed_ms: (numbers) => Math.max(...numbers),
}
