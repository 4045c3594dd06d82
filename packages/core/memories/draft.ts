import { createHash } from 'node:crypto'
import { canonical } from '@twofold/operation/json.ts'
import { invalid } from '@twofold/operation/refusal.ts'
import type { Entity, Relation } from '../entities/entity.ts'
import { mentionsOf } from '../entities/mentions.ts'
import { placeOf, subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { contentOf, indexedText } from '../text/indexed.ts'
import { type Term, terms } from '../text/words.ts'
import { changedDetails, textOfDetails } from './details.ts'
import type { Changes, RememberInput } from './input.ts'
import type { Details, Memory } from './memory.ts'

/** A memory about to be written: every default decided, its words counted, what a model still has to add marked. */
export interface Draft {
  id: string
  namespace: string
  subject: string
  key: string | null
  type: Memory['type']
  kind: string
  content: string
  value: Memory['value']
  /** What its kind has beside the fields of every memory. */
  details: Details | null
  summary: string | null
  importance: number
  metadata: Memory['metadata']
  tags: string[]
  entities: Entity[]
  relations: Relation[]
  conversationId: string | null
  sessionId: string | null
  taskId: string | null
  speaker: string | null
  occurredAt: string
  expiresAt: string | null
  terms: Term[]
  /** What is embedded; null when the stored vector still belongs to this content. */
  toEmbed: string | null
  embedding: Float32Array | null
  /** What entities are extracted from; null when the caller wants none, or they are known. */
  toExtract: string | null
  owesEmbedding: boolean
  owesEntities: boolean
  /** Recognises the same request for the same client-chosen id. */
  requestHash: string
}

/** A request to remember, of a kind that may have fields of its own. */
export type Remembering = RememberInput & { details?: Details }

/** Decides the defaults of a new memory. Refuses what only the deployment can know to be wrong: the dimension of a vector, a time that has passed. */
export function draft(deps: Deps, input: Remembering, at: Date): Draft {
  const now = at.toISOString()
  const namespace = placeOf(input) as string
  const fields = {
    id: input.id ?? deps.id(),
    namespace,
    subject: subjectOf(namespace),
    key: input.key ?? null,
    type: input.type ?? 'semantic',
    kind: input.kind ?? 'note',
    content: input.content ?? contentOf(input.value ?? null),
    value: input.value ?? null,
    details: input.details ?? null,
    summary: input.summary ?? null,
    importance: input.importance ?? 5,
    metadata: input.metadata ?? {},
    tags: input.tags ?? [],
    ...mentionsOf(input.entities, input.relations),
    conversationId: input.conversationId ?? null,
    sessionId: input.sessionId ?? null,
    taskId: input.taskId ?? null,
    speaker: input.speaker ?? null,
    occurredAt: input.occurredAt ?? now,
    expiresAt: input.expiresAt ?? null,
  }
  refuseExpired(fields.expiresAt, now)
  const text = textOf({ ...fields, createdAt: now })
  return {
    ...fields,
    terms: terms(text),
    embedding: input.embedding ? unit(deps, input.embedding) : null,
    toEmbed: input.embedding ? null : text,
    toExtract: input.extractEntities === false ? null : fields.content,
    owesEmbedding: false,
    owesEntities: false,
    requestHash: hashOf(input),
  }
}

/**
 * The next version of a memory: what is not named stays. Vector and entities are made anew only when the text they
 * came from changes; entities that the caller gave then go with the old text unless he gives them again, but what the
 * memory is about stays. `from` has the fields of its kind.
 */
export function redraft(deps: Deps, memory: Memory, changes: Changes, at: Date, from: Details = memory): Draft {
  const now = at.toISOString()
  const value = changes.value === undefined ? memory.value : changes.value
  const kept = <K extends keyof Changes & keyof Memory>(field: K) =>
    (changes[field] === undefined ? memory[field] : changes[field]) as Memory[K]
  const details = changedDetails(from, kept('kind'), changes)
  // A text that was made of the fields follows them.
  const told = details && memory.content === textOfDetails(memory) ? textOfDetails(details) : memory.content
  const content = changes.content ?? (changes.value === undefined || changes.value === null ? told : contentOf(changes.value))
  const rewritten = content !== memory.content
  const extract = changes.extractEntities ?? (rewritten && changes.entities === undefined)
  const given = changes.entities ?? (rewritten ? memory.entities.filter((e) => e.about) : memory.entities)
  const related = changes.relations ?? (rewritten || changes.entities !== undefined ? [] : memory.relations)
  const fields = {
    id: memory.id,
    namespace: memory.namespace,
    subject: subjectOf(memory.namespace),
    key: kept('key'),
    type: kept('type'),
    kind: kept('kind'),
    content,
    value,
    details,
    summary: kept('summary'),
    importance: kept('importance'),
    metadata: kept('metadata'),
    tags: kept('tags'),
    ...mentionsOf(given, related),
    conversationId: kept('conversationId'),
    sessionId: kept('sessionId'),
    taskId: kept('taskId'),
    speaker: kept('speaker'),
    occurredAt: kept('occurredAt'),
    expiresAt: kept('expiresAt'),
  }
  if (changes.expiresAt !== undefined) refuseExpired(fields.expiresAt, now)
  const text = textOf({ ...fields, createdAt: memory.createdAt })
  return {
    ...fields,
    terms: terms(text),
    embedding: changes.embedding ? unit(deps, changes.embedding) : null,
    toEmbed: changes.embedding || text === textOf(memory) ? null : text,
    toExtract: extract ? content : null,
    owesEmbedding: false,
    owesEntities: false,
    requestHash: hashOf(changes),
  }
}

/** What is embedded and indexed of a memory. A time that the caller named is part of it ("what happened in May?"), the time of writing is not. */
export const textOf = ({ content, speaker, occurredAt, createdAt }: Pick<Memory, 'content' | 'speaker' | 'occurredAt' | 'createdAt'>) =>
  indexedText({ content, speaker, occurredAt: occurredAt === createdAt ? null : new Date(occurredAt) })

const hashOf = (input: unknown) => createHash('sha256').update(canonical(input)).digest('hex')

function refuseExpired(expiresAt: string | null, now: string): void {
  if (expiresAt !== null && expiresAt <= now) throw invalid([{ path: 'expiresAt', message: 'must be in the future' }])
}

/** Half precision, in which vectors are indexed, ends at 65,504: a vector is kept at length 1, which changes no cosine. */
export function unit(deps: Deps, vector: readonly number[], path = 'embedding'): Float32Array {
  const { dimensions, model } = deps.embedder
  if (vector.length !== dimensions) {
    throw invalid([{ path, message: `must have ${dimensions} numbers, as ${model} makes them, not ${vector.length}` }])
  }
  const largest = vector.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  const scaled = vector.map((x) => x / largest)
  const length = Math.hypot(...scaled)
  return Float32Array.from(scaled, (x) => x / length)
}
