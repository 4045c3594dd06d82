import { createHash } from 'node:crypto'
import type { Changing, Command, Given, Mode } from './commands.ts'

const NAMES = [
  ['person', 'Ada'],
  ['person', 'Bob'],
  ['person', 'Eve Moneypenny'],
  ['place', 'Paris'],
  ['project', 'ada'],
] as const
/** The last one has the name of the first in another spelling, and another type. */
const entity = (i: number) => ({ type: NAMES[i]?.[0] as string, value: NAMES[i]?.[1] as string })
const PLACES = ['user:ada', 'user:ada:work', 'user:bob']
export const SUBJECTS = ['user:ada', 'user:bob'] as const
/** The first session belongs to the first subject, the second to itself. */
export const SESSIONS = ['morning', 'evening'] as const
const TEXTS = ['tea', 'coffee with @Ada', 'nothing', '@Bob showed @Eve the town', '@Ada likes @Carl', 'tea and toast']
const MINUTE = 60_000

export const slot = (i: number) => `01900000-0000-7000-8000-0000000005${String(i).padStart(2, '0')}`

export interface Mention {
  type: string
  value: string
  about?: boolean
}
export interface Related {
  from: { type: string; value: string }
  type: string
  to: { type: string; value: string }
  confidence: number
}

export interface MemoryInput {
  id?: string
  namespace: string
  key?: string
  content: string
  kind: string
  entities: Mention[]
  relations: Related[]
  sessionId?: string
  expiresAt?: string
  extractEntities: boolean
  embedding?: number[]
  waitFor?: 'graph'
  onGraphFailure?: 'rollback'
}

export interface ChangesInput {
  key?: string | null
  content?: string
  kind?: string
  entities?: Mention[]
  relations?: Related[]
  sessionId?: string | null
  expiresAt?: string | null
  extractEntities?: boolean
  waitFor?: 'graph'
}

export type Asked =
  | { verb: 'remember'; input: MemoryInput }
  | { verb: 'batch'; items: MemoryInput[]; atomic: boolean }
  | { verb: 'update'; id: string; changes: ChangesInput; ifMatch: number | null }
  | { verb: 'forget'; id: string; hard: boolean; cascade: boolean }
  | { verb: 'restore'; id: string; version: number | null }
  | { verb: 'entity'; subject: string; name: Mention }
  | { verb: 'link'; subject: string; from: Mention; to: Mention; confidence: number; wait: boolean }
  | { verb: 'start'; session: string; user: string | null }
  | { verb: 'end'; session: string }

/** A request as it goes over the wire, so that it can be sent again. */
export type Request = Asked & { once: string | null; hash: string }

/** The tiny model's idea of a text: few dimensions, so that most of the time goes into what is tested. */
export const DIMENSIONS = 4
export function vectorOf(text: string): number[] {
  const bytes = createHash('sha256').update(text).digest()
  const numbers = Array.from({ length: DIMENSIONS }, (_, i) => bytes.readInt8(i) + 0.5)
  return numbers.map((x) => x / Math.hypot(...numbers))
}

/** What a model finds in a text: everybody with an @, and that the first knows the second. */
export function found(text: string): { entities: Mention[]; relations: Related[] } {
  const entities = [...text.matchAll(/@(\w+)/g)].map(([, value]) => ({ type: 'person', value: value as string }))
  const [from, to] = entities
  return { entities, relations: from && to ? [{ from, type: 'knows', to, confidence: 0.5 }] : [] }
}

function mentioned({ entities, about, related }: Pick<Given, 'entities' | 'about' | 'related'>) {
  const named = entities.map(entity)
  const [from, to] = named
  return {
    entities: named.map((each, i) => (about && i === 0 ? { ...each, about } : each)),
    relations: related && from && to ? [{ from, type: 'visits', to, confidence: 1 }] : [],
  }
}

const later = (now: Date, mins: number) => new Date(now.getTime() + mins * MINUTE).toISOString()

function memory(given: Given, now: Date): MemoryInput {
  const content = TEXTS[given.text] as string
  return {
    ...(given.id === null ? {} : { id: slot(given.id) }),
    ...(given.key === null ? {} : { key: `key ${given.key}` }),
    ...(given.session === null ? {} : { sessionId: SESSIONS[given.session] as string }),
    ...(given.ends === null ? {} : { expiresAt: later(now, given.ends) }),
    ...(given.vector ? { embedding: vectorOf(content) } : {}),
    ...{ namespace: PLACES[given.place] as string, content, kind: given.kind, ...mentioned(given), extractEntities: given.finds },
  }
}

const WAITS: Record<Mode, object> = { queue: {}, wait: { waitFor: 'graph' }, rollback: { onGraphFailure: 'rollback' } }

function changed(changes: Changing, wait: boolean, now: Date): ChangesInput {
  const { key, text, kind, entities, about = false, related = false, session, ends, finds } = changes
  return {
    ...(key === undefined ? {} : { key: key === null ? null : `key ${key}` }),
    ...(text === undefined ? {} : { content: TEXTS[text] as string }),
    ...(kind === undefined ? {} : { kind }),
    ...(entities === undefined ? {} : mentioned({ entities, about, related })),
    ...(session === undefined ? {} : { sessionId: session === null ? null : (SESSIONS[session] as string) }),
    ...(ends === undefined ? {} : { expiresAt: ends === null ? null : later(now, ends) }),
    ...(finds === undefined ? {} : { extractEntities: finds }),
    ...(wait ? { waitFor: 'graph' } : {}),
  }
}

/** What is known when a request is made: the ids there have been, and the version of a memory. */
export interface Known {
  now: Date
  ids: readonly string[]
  versionOf(id: string): number | undefined
}

/** The request that a command stands for; null for what is none. */
export function requestOf(command: Command, { now, ids, versionOf }: Known): Request | null {
  const id = 'which' in command ? (ids[command.which % Math.max(1, ids.length)] ?? slot(0)) : slot(0)
  const asked = ((): Asked | null => {
    switch (command.do) {
      case 'remember':
        return { verb: 'remember', input: { ...memory(command.given, now), ...WAITS[command.mode] } }
      case 'batch':
        return { verb: 'batch', items: command.items.map((each) => memory(each, now)), atomic: command.atomic }
      case 'update': {
        const version = versionOf(id) ?? 1
        const ifMatch = command.match === null ? null : command.match === 'right' ? version : version + 1
        return { verb: 'update', id, changes: changed(command.changes, command.wait, now), ifMatch }
      }
      case 'forget':
        return { verb: 'forget', id, hard: command.hard, cascade: command.cascade }
      case 'restore':
        return { verb: 'restore', id, version: command.version }
      case 'entity':
        return { verb: 'entity', subject: SUBJECTS[command.subject] as string, name: entity(command.name) }
      case 'link': {
        const [from, to] = [entity(command.from), entity(command.to)]
        return { verb: 'link', subject: SUBJECTS[command.subject] as string, from, to, confidence: command.confidence, wait: command.wait }
      }
      case 'start':
        return { verb: 'start', session: SESSIONS[command.session] as string, user: command.session === 0 ? 'ada' : null }
      case 'end':
        return { verb: 'end', session: SESSIONS[command.session] as string }
      default:
        return null
    }
  })()
  if (!asked) return null
  const once = 'once' in command && command.once !== null ? `once ${command.once}` : null
  return { ...asked, once, hash: createHash('sha256').update(JSON.stringify(asked)).digest('hex') }
}
