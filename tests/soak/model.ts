import { type ChangesInput, found, type MemoryInput, type Mention, type Related, type Request } from './requests.ts'

const DAY = 24 * 3600 * 1000
/** What both stores know of an entity: spellings of a name are one. */
const normal = (value: string) => value.toLowerCase().replaceAll(' ', '_')
const nameOf = ({ type, value }: { type: string; value: string }) => `${type}/${normal(value)}`
const subjectOf = (namespace: string) => namespace.split(':').slice(0, 2).join(':')

interface Content {
  content: string
  key: string | null
  kind: string
  entities: Mention[]
  relations: Related[]
  session: string | null
  expiresAt: string | null
}

export interface ModelMemory extends Content {
  id: string
  namespace: string
  version: number
  deleted: boolean
  /** In rollback mode, not yet decided. */
  pending: boolean
  /** A model owes what it finds in the text. */
  owing: boolean
  hash: string
  /** Every version; null for those that are deletions. */
  versions: Map<number, Content | null>
}

export interface Answered {
  hash: string
  at: number
  /** The memories it wrote; once one of them is forgotten for good, nothing is known any more. */
  ids: string[]
  gone: boolean
}

/** Something that the service must never do. */
export class Broken extends Error {}
const broken = (what: string): never => {
  throw new Broken(what)
}

/** `ok`, `again` when it was answered before, or the code of a refusal. */
export type Outcome = string

/** The plain truth: what should be there after what has been committed, and what a request should be answered. */
export class Model {
  readonly memories = new Map<string, ModelMemory>()
  readonly sessions = new Map<string, { subject: string; ended: boolean }>()
  /** Entities somebody made for their own sake, by subject and name. */
  readonly explicit = new Set<string>()
  /** Confidence by subject, name and name. */
  readonly links = new Map<string, number>()
  readonly answered = new Map<string, Answered>()
  /** Ids there have been, oldest first. */
  readonly ids: string[] = []

  fresh(request: Request, at: number): Answered | undefined {
    const known = request.once === null ? undefined : this.answered.get(request.once)
    return known && known.at >= at - DAY ? known : undefined
  }

  /** Who has this key in the namespace, expired or not. */
  holder(namespace: string, key: string | null | undefined, id: string | undefined): ModelMemory | undefined {
    if (key === null || key === undefined) return undefined
    return [...this.memories.values()].find((m) => m.namespace === namespace && m.key === key && !m.deleted && m.id !== id)
  }

  readable(id: string): ModelMemory | undefined {
    const m = this.memories.get(id)
    return m?.pending ? undefined : m
  }

  past(m: ModelMemory, version: number | null): Content | null | undefined {
    if (version !== null) return m.versions.get(version)
    return [...m.versions.values()].findLast((content) => content !== null)
  }

  /**
   * The service's own transaction for this request has been committed: is that allowed, and what is true now? `ids` are
   * the memories that it answers, `at` when it was sent; `extracted` whether the model found its entities in time.
   */
  committed(request: Request, ids: readonly string[], at: number, extracted: boolean): void {
    if (this.fresh(request, at)) broken(`${request.verb} was carried out again under a key that was used`)
    const wrote = this.#commit(request, ids, at, extracted)
    if (request.once !== null) this.answered.set(request.once, { hash: request.hash, at, ids: wrote, gone: false })
  }

  #commit(request: Request, ids: readonly string[], at: number, extracted: boolean): string[] {
    switch (request.verb) {
      case 'remember':
        this.#make(request.input, ids[0] as string, extracted, request.input.onGraphFailure === 'rollback')
        return [ids[0] as string]
      case 'batch': {
        const twins = twinsIn(request.items)
        const wanted = request.items.filter((item, i) => !twins[i] && this.#fits(item))
        if (wanted.length !== ids.length) broken(`a batch wrote ${ids.length} memories in place of ${wanted.length}`)
        wanted.forEach((item, i) => void this.#make(item, ids[i] as string, extracted, false))
        return [...ids]
      }
      case 'update': {
        const m = this.readable(request.id)
        if (!m || m.deleted) return broken('a memory was changed that is not there')
        this.#next(m, this.#changed(m, request.changes, extracted))
        return [m.id]
      }
      case 'restore': {
        const m = this.readable(request.id)
        const past = m && this.past(m, request.version)
        if (!m || !past) return broken('a memory was restored that is not there')
        m.owing &&= m.content === past.content
        const expiresAt = past.expiresAt !== null && Date.parse(past.expiresAt) <= at ? null : past.expiresAt
        m.deleted = false
        this.#next(m, { ...past, expiresAt })
        return [m.id]
      }
      case 'forget': {
        const m = this.readable(request.id)
        if (!m || (m.deleted && !request.hard)) return broken('a memory was deleted that is not there')
        if (!request.cascade && !m.deleted) for (const e of m.entities) this.explicit.add(`${subjectOf(m.namespace)} ${nameOf(e)}`)
        if (request.hard) this.#erase(m)
        else this.#retire(m)
        return []
      }
      case 'start':
        if (this.sessions.has(request.session)) broken('a session was started twice')
        this.sessions.set(request.session, {
          subject: request.user === null ? `session:${request.session}` : `user:${request.user}`,
          ended: false,
        })
        return []
      case 'end': {
        const session = this.sessions.get(request.session)
        if (!session || session.ended) return broken('a session was ended that was not running')
        session.ended = true
        return []
      }
      case 'entity':
        this.explicit.add(`${request.subject} ${nameOf(request.name)}`)
        return []
      case 'link': {
        const { subject, from, to } = request
        for (const end of [from, to]) this.explicit.add(`${subject} ${nameOf(end)}`)
        this.links.set(`${subject} ${nameOf(from)} ${nameOf(to)}`, request.confidence)
        return []
      }
    }
  }

  #fits(input: MemoryInput): boolean {
    return !(input.id !== undefined && this.memories.has(input.id)) && !this.holder(input.namespace, input.key, input.id)
  }

  #make(input: MemoryInput, id: string, extracted: boolean, pending: boolean): void {
    if (this.memories.has(id)) broken('a memory was made twice')
    if (input.id !== undefined && input.id !== id) broken('a memory has another id than it was given')
    if (this.holder(input.namespace, input.key, id)) broken('a key was given twice')
    const { namespace, key = null, kind, content, sessionId: session = null, expiresAt = null } = input
    const given = { entities: input.entities, relations: input.relations }
    const mentions = input.extractEntities && extracted ? merged(given, content) : given
    const owing = input.extractEntities && !extracted
    const made = { key, kind, content, session, expiresAt, ...mentions }
    const versions = new Map<number, Content | null>([[1, made]])
    this.memories.set(id, {
      ...made,
      id,
      namespace,
      version: 1,
      deleted: false,
      pending,
      owing,
      hash: JSON.stringify(input),

      versions,
    })
    if (!this.ids.includes(id)) this.ids.push(id)
  }

  #changed(m: ModelMemory, changes: ChangesInput, extracted: boolean): Content {
    const content = changes.content ?? m.content
    const rewritten = content !== m.content
    const extract = changes.extractEntities ?? (rewritten && changes.entities === undefined)
    const given = {
      entities: changes.entities ?? (rewritten ? m.entities.filter((e) => e.about) : m.entities),
      relations: changes.relations ?? (rewritten || changes.entities !== undefined ? [] : m.relations),
    }
    m.owing = extract ? !extracted : m.owing && !rewritten
    return {
      content,
      kind: changes.kind ?? m.kind,
      key: changes.key === undefined ? m.key : changes.key,
      session: changes.sessionId === undefined ? m.session : changes.sessionId,
      expiresAt: changes.expiresAt === undefined ? m.expiresAt : changes.expiresAt,
      ...(extract && extracted ? merged(given, content) : given),
    }
  }

  #next(m: ModelMemory, content: Content): void {
    if (this.holder(m.namespace, content.key, m.id)) broken('a key was given twice')
    const { key, kind, content: text, session, expiresAt, entities, relations } = content
    Object.assign(m, { key, kind, content: text, session, expiresAt, entities, relations, version: m.version + 1 })
    m.versions.set(m.version, content)
  }

  #retire(m: ModelMemory): void {
    m.deleted = true
    m.version++
    m.versions.set(m.version, null)
  }

  #erase(m: ModelMemory): void {
    this.memories.delete(m.id)
    for (const known of this.answered.values()) known.gone ||= known.ids.includes(m.id)
  }

  /** Memories of which only the stores can say what became of them: who decided a pending one, or swept what was due. */
  undecided(at: number): ModelMemory[] {
    return [...this.memories.values()].filter(
      (m) => m.pending || (m.owing && !m.deleted) || (!m.deleted && m.expiresAt !== null && Date.parse(m.expiresAt) <= at),
    )
  }

  /** What became of one of these. */
  decided(m: ModelMemory, seen: { pending: boolean; owing: boolean; deleted: boolean } | undefined): void {
    if (!seen) {
      if (!m.pending) broken('a memory is gone that nobody deleted')
      this.memories.delete(m.id)
      for (const [key, known] of this.answered) if (!known.gone && known.ids.includes(m.id)) this.answered.delete(key)
      return
    }
    if (seen.pending && !m.pending) broken('a memory is pending that was not')
    m.pending = seen.pending
    if (seen.deleted && !m.deleted) this.#retire(m)
    if (m.owing && !seen.owing && !seen.deleted) {
      Object.assign(m, merged(m, m.content))
      const { entities, relations } = m
      m.versions.set(m.version, { ...(m.versions.get(m.version) as Content), entities, relations })
      m.owing = false
    }
  }

  /** Requests that are forgotten after a day. */
  forgets(at: number): void {
    for (const [key, known] of this.answered) if (known.at < at - DAY) this.answered.delete(key)
  }
}

/** Which items of a batch have the id or the key of one before them. */
export function twinsIn(items: readonly MemoryInput[]): boolean[] {
  const names = new Set<string>()
  return items.map(({ id, key, namespace }) => {
    for (const name of [...(id === undefined ? [] : [id]), ...(key === undefined ? [] : [`${namespace}/${key}`])]) {
      if (names.has(name)) return true
      names.add(name)
    }
    return false
  })
}

/** Who types a name is right about its type; what is found besides is added. */
function merged(given: { entities: Mention[]; relations: Related[] }, text: string): { entities: Mention[]; relations: Related[] } {
  const typed = new Map(given.entities.toReversed().map((e) => [normal(e.value), e.type]))
  const more = found(text)
  const right = <E extends { type: string; value: string }>(e: E) => ({ ...e, type: typed.get(normal(e.value)) ?? e.type })
  const names = new Set(given.entities.map((e) => normal(e.value)))
  const relations = more.relations.map((r) => ({ ...r, from: right(r.from), to: right(r.to) }))
  const known = new Set(given.relations.map(edge))
  return {
    entities: [...given.entities, ...more.entities.filter((e) => !names.has(normal(e.value)))],
    relations: [...given.relations, ...relations.filter((r) => !known.has(edge(r)))],
  }
}

const edge = ({ from, type, to }: Omit<Related, 'confidence'>) => `${nameOf(from)} ${type} ${nameOf(to)}`

export { edge, nameOf, subjectOf }
