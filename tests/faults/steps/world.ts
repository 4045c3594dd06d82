import { createHash } from 'node:crypto'

/** A memory as its user knows it. */
export interface Known {
  id: string
  content: string
  version: number
  /** Names that it mentions, of whom each knows the next. */
  people: readonly string[]
  deleted: boolean
  /** Its vector may not be there yet. */
  owes?: boolean
  /** The name of the session it comes from. */
  session?: string
}

/** Everything a tenant has: a plain expectation that both stores are held against. */
export interface World {
  memories: readonly Known[]
  /** Deleted for good, with how often each was written. */
  erased: readonly { id: string; content: string; written: number }[]
  /** Named for their own sake. */
  people: readonly string[]
  /** Of these, who knows whom. */
  links: readonly (readonly [string, string])[]
  sessions: readonly { name: string; status: string }[]
}

export const NOTHING: World = { memories: [], erased: [], people: [], links: [], sessions: [] }

export const withMemories = (world: World, ...memories: readonly Known[]): World => ({
  ...world,
  memories: [...world.memories, ...memories],
})

const change = (world: World, id: string, to: (known: Known) => Known): World => ({
  ...world,
  memories: world.memories.map((known) => (known.id === id ? to(known) : known)),
})

export const revised = (world: World, id: string, what: Partial<Known>): World =>
  change(world, id, (known) => ({ ...known, version: known.version + 1, ...what }))

export const deleted = (world: World, id: string): World => revised(world, id, { deleted: true })

export const erased = (world: World, id: string): World => ({
  ...world,
  memories: world.memories.filter((known) => known.id !== id),
  erased: [
    ...world.erased,
    ...world.memories.filter((known) => known.id === id).map((k) => ({ id, content: k.content, written: k.version })),
  ],
})

export const live = ({ memories }: World): Known[] => memories.filter((known) => !known.deleted)

/** What a user sees of it: id, version and content of each memory. */
export const visible = (world: World): string[] =>
  live(world)
    .map(({ id, version, content }) => `${id} v${version} ${content}`)
    .sort()

const person = (name: string) => `person:${name}`

/** What a graph shows of it, line by line. */
export function shown(world: World): string[] {
  const memories = live(world)
  const everybody = new Set([...memories.flatMap((known) => known.people), ...world.people])
  const names = new Set(world.sessions.map(({ name }) => name))
  return [
    ...memories.flatMap(({ id, version, content, people, session }) => [
      `memory ${id} v${version} ${createHash('sha256').update(content).digest('hex')}`,
      ...people.map((name) => `${id}: ${id} MENTIONS ${person(name)}`),
      ...people.slice(1).map((name, i) => `${id}: ${person(people[i] as string)} knows ${person(name)}`),
      ...(session && names.has(session) ? [`${id}: session ${session} PRODUCED ${id}`] : []),
    ]),
    ...[...everybody].map((name) => `entity ${person(name)}`),
    ...world.links.map(([from, to]) => `${person(from)}: ${person(from)} knows ${person(to)}`),
    ...world.sessions.map(({ name, status }) => `session ${name} ${status}`),
  ].sort()
}
