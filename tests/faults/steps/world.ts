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
  /** Who said it, which is a part of what it is found by. */
  speaker?: string
  /** The name of the session it comes from. */
  session?: string
  /** It is about these people, and does not only mention them. */
  about?: true
  /** None of these people is said to know the next. */
  apart?: boolean
  /** What took its place when it was deleted. */
  by?: string
  /** How many of its versions are not kept. */
  squashed?: number
  /** It is a part of a document. */
  chunk?: true
}

/** Everything a tenant has: a plain expectation that both stores are held against. */
export interface World {
  memories: readonly Known[]
  /** Deleted for good, with how often each was written of which an audit knows. */
  erased: readonly { id: string; content: string; written: number; chunk?: true }[]
  /** Named for their own sake. */
  people: readonly string[]
  /** Of these, who knows whom. */
  links: readonly (readonly [string, string])[]
  /** Names that mean another one. */
  merged: readonly (readonly [from: string, into: string])[]
  sessions: readonly { name: string; status: string; events?: number }[]
  /** As `path v1 synced`. */
  documents: readonly string[]
  /** What is set for namespaces. */
  settings: readonly string[]
}

export const NOTHING: World = { memories: [], erased: [], people: [], links: [], merged: [], sessions: [], documents: [], settings: [] }

export const hashOf = (content: string): string => createHash('sha256').update(content).digest('hex')

/** A memory whose id nobody chose goes by what it says. */
export const nameOf = (id: string, hash: string): string => (id.startsWith('00000000-') ? id : `saying ${hash}`)

export const saying = (content: string, people: readonly string[] = []): Known => ({
  ...{ id: nameOf('', hashOf(content)), content, version: 1, people, deleted: false },
})

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

export const superseded = (world: World, id: string, by: string): World => revised(world, id, { deleted: true, by })

/** What it took the place of is deleted still, and points nowhere. */
export const erased = (world: World, id: string): World => ({
  ...world,
  memories: world.memories.filter((known) => known.id !== id).map((known) => (known.by === id ? { ...known, by: undefined } : known)),
  erased: [
    ...world.erased,
    ...world.memories
      .filter((known) => known.id === id)
      .map((known) => ({ id, content: known.content, written: audited(known), chunk: known.chunk })),
  ],
})

/** How often an audit names it: once for each version, and once for those that are not kept. */
export const audited = ({ version, squashed = 0 }: Known): number => version + Math.sign(squashed)

export const live = ({ memories }: World): Known[] => memories.filter((known) => !known.deleted)

/** What a user sees of it: id, version and content of each memory. */
export const visible = (world: World): string[] =>
  live(world)
    .map(({ id, version, content }) => `${id} v${version} ${content}`)
    .sort()

const person = (name: string) => `person:${name}`

/** Whom a name means. */
const meant = ({ merged }: World, name: string): string => merged.find(([from]) => from === name)?.[1] ?? name

/** Everybody whom the graph shows. */
const everybody = (world: World): string[] =>
  [...new Set([...live(world).flatMap(({ people }) => people), ...world.people].map((name) => meant(world, name)))].sort()

/** Everybody whom a row knows: what means another one stays as long as that one. */
export const known = (world: World): string[] => {
  const all = everybody(world)
  const merged = world.merged.filter(([, into]) => all.includes(into))
  return [...all.map(person), ...merged.map(([from, into]) => `${person(from)} is ${person(into)}`)].sort()
}

/** What a graph shows of a memory: its node, and what it asserts. */
function assertedBy(world: World, { id, version, content, people, session, about, apart = false, deleted, by }: Known): string[] {
  const node = `memory ${id} v${version} ${hashOf(content)}`
  if (deleted) return by === undefined ? [] : [node, `${by}: ${by} SUPERSEDES ${id}`]
  const mentioned = people.map((name) => person(meant(world, name)))
  const pairs = mentioned.slice(1).map((to, i) => [mentioned[i] as string, to] as const)
  const edges = [
    ...mentioned.flatMap((name) => [`${id} MENTIONS ${name}`, ...(about ? [`${id} ABOUT ${name}`] : [])]),
    ...(apart ? [] : pairs.filter(([from, to]) => from !== to).map(([from, to]) => `${from} knows ${to}`)),
    ...(world.sessions.some(({ name }) => name === session) ? [`session ${session} PRODUCED ${id}`] : []),
  ]
  return [node, ...[...new Set(edges)].map((edge) => `${id}: ${edge}`)]
}

/** What a graph shows of it, line by line. */
export function shown(world: World): string[] {
  const links = world.links.map((ends) => ends.map((name) => person(meant(world, name))))
  return [
    ...world.memories.flatMap((memory) => assertedBy(world, memory)),
    ...everybody(world).map((name) => `entity ${person(name)}`),
    ...links.filter(([from, to]) => from !== to).map(([from, to]) => `${from}: ${from} knows ${to}`),
    ...world.sessions.map(({ name, status }) => `session ${name} ${status}`),
  ].sort()
}
