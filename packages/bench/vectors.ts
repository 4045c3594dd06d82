import { random } from './random.ts'

export const DIMENSIONS = 384

/** Vectors gather around centres, and centres around topics, as texts do; uniform ones would all be equally far apart. */
const TOPICS = 20
const CENTRES = 200
/** Length of what is added to a centre of length 1: neighbours of one centre then have a cosine of about 0.7. */
const SPREAD = 0.65

const topics = Array.from({ length: TOPICS }, (_, i) => gaussian(random(1_000_003 * (i + 1)), 1))
const centres = Array.from({ length: CENTRES }, (_, i) => near(topics[i % TOPICS] as number[], gaussian(random(7_000_003 * (i + 1)), 0.8)))

/** A vector of length 1, the same for the same seed, with six digits, as texts of numbers are sent. */
export function vectorOf(seed: number): number[] {
  const next = random(seed ^ 0x5eed)
  const centre = centres[Math.floor(next() * CENTRES)] as number[]
  const noise = gaussian(next, SPREAD)
  return near(centre, noise).map((x) => Number(x.toFixed(6)))
}

function near(point: readonly number[], away: readonly number[]): number[] {
  return scaled(
    point.map((x, i) => x + (away[i] as number)),
    1,
  )
}

function gaussian(next: () => number, length: number): number[] {
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return scaled(Array.from({ length: DIMENSIONS }, normal), length)
}

function scaled(vector: readonly number[], length: number): number[] {
  const factor = length / Math.hypot(...vector)
  return vector.map((x) => x * factor)
}
