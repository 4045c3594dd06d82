import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { makeTenant } from '../graph/world.ts'
import { Clock, type Stores } from './clock.ts'
import { type Command, Commands, SWEEPS } from './commands.ts'
import { drift, expectedShown, expectedTruth, owing, shown, truth } from './compare.ts'
import { Flight } from './flight.ts'
import { Broken } from './model.ts'
import { Stage } from './stage.ts'
import type { Place } from './stores.ts'

/** Operations in one run, each run on a tenant of its own: short ones meet more beginnings, long ones what comes of much. */
export const LENGTHS = { short: 40, long: 200 }
/** Rounds of sweeps, hours apart, within which everything must be done. */
const ROUNDS = 12
const HOUR = 3600 * 1000

/** Whatever happened, afterwards both stores say what the model says, and nobody owes anything. */
export async function holds(stores: (clock: Clock) => Stores, commands: readonly Command[]): Promise<void> {
  const clock = new Clock()
  const own = stores(clock)
  const tenant = await makeTenant(own.db, randomUUID())
  const stage = new Stage(own, tenant, clock)
  for (const command of commands) await stage.play(command)
  const sent = [...stage.messages]
  await stage.calm()
  clock.pass(31_000)
  await settle(stage)
  // Hours later some of the queue's messages come again.
  clock.pass(HOUR)
  await stage.deliver(new Flight([], clock), sent)
  await settle(stage)
  await same(stage)
}

async function settle(stage: Stage): Promise<void> {
  const { tenant, stores, clock } = stage
  for (let round = 0; ; round++) {
    const [[left]] = await stores.db.asTenant(tenant.tenant, [owing(clock.now().toISOString())])
    const due = SWEEPS.filter((name) => left?.[name])
    if (due.length === 0) return
    if (round === ROUNDS) throw new Broken(`still owed after ${ROUNDS} rounds: ${JSON.stringify(left)}`)
    // A generation that nobody reads is kept in mind for a day.
    if (round > 0) clock.pass(due.every((name) => name === 'retired') ? 25 * HOUR : HOUR)
    for (const name of due) await stage.sweep(name)
  }
}

async function same({ model, stores, tenant, clock }: Stage): Promise<void> {
  const deps = { ...stores, now: clock.now, id: randomUUID, log: console, settings: null as never }
  assert.deepEqual(rounded(await truth(deps, tenant.tenant)), rounded(expectedTruth(model)))
  assert.deepEqual(await shown(deps, tenant.tenant), expectedShown(model))
  assert.deepEqual(await drift(deps, tenant.tenant), [])
}

/** Vectors are kept as float32. */
const rounded = (facts: object) => JSON.parse(JSON.stringify(facts, (_, x) => (typeof x === 'number' ? Math.round(x * 1e4) / 1e4 : x)))

/** Runs that are tried, and shrunk, by one seed. */
export const RUNS = 25

/** How long a counterexample is made smaller. */
const SHRINKING_MS = 300_000

/**
 * One seed's runs, the same each time; or, by the path that a failure named, that one alone. No more are tried once
 * somebody else has `found` one that fails.
 */
export function soak(
  { storesOf }: Pick<Place, 'storesOf'>,
  seed: number,
  { length, path, found }: { length: number; path?: string; found?: () => boolean },
): Promise<fc.RunDetails<[Command[]]>> {
  let failed = Number.POSITIVE_INFINITY
  const property = fc.asyncProperty(new Commands(length), async (commands) => {
    if (Date.now() - failed > SHRINKING_MS || (failed === Number.POSITIVE_INFINITY && found?.())) return
    try {
      await holds(storesOf, commands)
    } catch (error) {
      failed = Math.min(failed, Date.now())
      throw error
    }
  })
  return fc.check(property, { seed, numRuns: RUNS, ...(path === undefined ? {} : { path }) })
}

/**
 * As many seeds as are `wanted`, beginning with this one, each in whichever place is free. Ends after `until`, or at the
 * first failure, which it answers.
 */
export async function soakAll(
  places: readonly Place[],
  {
    seed,
    length,
    wanted,
    until = Number.POSITIVE_INFINITY,
    done,
  }: { seed: number; length: number; wanted: number; until?: number; done?(seeds: number): void },
): Promise<string | null> {
  let [next, ended] = [0, 0]
  let failure: string | null = null
  let failing = false
  const lane = async (place: Place) => {
    while (!failing && next < wanted && Date.now() < until) {
      const details = await soak(place, seed + next++, { length, found: () => failing })
      if (details.failed) failure ??= told(details, length)
      else if (!failing) done?.(++ended)
      failing ||= details.failed
    }
  }
  await Promise.all(places.map(lane))
  return failure
}

/** What failed, with what replays it. */
export function told({ seed, counterexamplePath, counterexample, errorInstance }: fc.RunDetails<[Command[]]>, length: number): string {
  const steps = counterexample?.[0].map((command, i) => `${i + 1}. ${JSON.stringify(command)}`) ?? []
  const error = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance)
  return [`seed ${seed} failed; npm run soak -- --length ${length} --seed ${seed} --path ${counterexamplePath}`, ...steps, error].join('\n')
}
