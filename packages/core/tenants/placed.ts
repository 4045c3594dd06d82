import type { Caller } from '@twofold/operation/caller.ts'
import { Elsewhere } from '../failures.ts'
import type { Deps, Places } from '../ports.ts'

/** Where everything lives unless the configuration names other places. */
export const HOME = 'home'

/** A process that knows no other place. */
export const ALONE: Places = { here: HOME, names: [HOME], at: () => null, of: () => null, found: () => undefined }

/** A tenant that moves twice while somebody follows it is looked for again by the next request. */
const MOST_HOPS = 2

/**
 * Carries out where a tenant lives what is asked for it. `who` is what it is known by here (a key's hash, its id), `hint`
 * where its key says it lives. Neither decides: the database does, in the transaction that answers, and when it says that the tenant
 * lives elsewhere nothing was done, and it is done there.
 */
export async function placed<D extends Pick<Deps, 'places'>, T>(
  deps: D,
  { who, hint = null }: { who: string; hint?: string | null },
  work: (deps: D) => Promise<T> | T,
): Promise<T> {
  const { places } = deps
  let place = places.of(who) ?? hint ?? places.here
  for (let hops = 0; ; hops++) {
    try {
      // What stands there is at least what stands here. A place that nobody knows has no tenants; home says so of the key.
      return await work(((place === places.here ? null : await places.at(place)) ?? deps) as D)
    } catch (error) {
      if (!(error instanceof Elsewhere) || hops === MOST_HOPS) throw error
      place = error.place
      places.found(who, place)
    }
  }
}

/** The same for the tenant of whoever calls. */
export const placedFor = <D extends Pick<Deps, 'places'>, T>(
  deps: D,
  { keyHash, place }: Caller,
  work: (deps: D) => Promise<T> | T,
): Promise<T> => placed(deps, { who: keyHash.toString('hex'), hint: place ?? null }, work)
