import { setTimeout as sleep } from 'node:timers/promises'
import { v7 } from 'uuid'
import type { Answer, Client } from '../client.ts'
import { vectorOf } from '../random.ts'

/** A part of a batch that met a store that was away: the same batch again does that part, and tells of the others as it did. */
async function inPart({ status, json }: Answer): Promise<'again' | undefined> {
  const met = status === 200 && json?.items?.some(({ error }: any) => error?.code === 'unavailable')
  if (met) await sleep(200)
  return met ? 'again' : undefined
}

/** What a writer was told of one memory. */
export interface Known {
  id: string
  namespace: string
  content: string
  version: number
  state: 'live' | 'deleted' | 'gone'
}

/** A request whose answer never came: it happened as a whole or not at all. */
export interface InFlight {
  send(asks: Client): Promise<Answer>
  /** Takes the answer of the same request, sent again. */
  learn(answer: Answer): void
  /** What it would have made, by content. */
  contents: string[]
  /** The memory it would have changed. */
  changes: Known | null
  /** In rollback mode the sweep decides first, so that the answer may be `in_progress` for a while. */
  pending: boolean
}

export interface Run {
  until?(): boolean
  /** Between two requests. */
  pauseMs?: number
  unavailable?(answer: Answer, request: InFlight): Promise<'again' | 'refused' | undefined>
}

/**
 * One writer with memories of its own: creates, batches, updates, deletions and restores, one after the other, until
 * the service is gone. Remembers what it was told and what it was not.
 */
export class Writer {
  readonly known = new Map<string, Known>()
  /** Touched since the last time somebody looked. */
  readonly touched = new Set<string>()
  readonly surprises: string[] = []
  inFlight: InFlight | null = null
  acknowledged = 0
  /** What was refused because a store was away: nobody may ever see it. */
  readonly refused: string[] = []
  /** The last create that was acknowledged under an idempotency key, and what it made. */
  lastKeyed: { send(asks: Client): Promise<Answer>; id: string } | null = null
  readonly #name: string
  readonly #next: () => number
  readonly #dimensions: number | undefined
  #made = 0

  constructor(name: string, next: () => number, dimensions?: number) {
    this.#name = name
    this.#next = next
    this.#dimensions = dimensions
  }

  /**
   * Writes until the service is gone or `until` says so. What is answered with 503 is a surprise, unless `unavailable`
   * says what to do: send it again, or believe that nothing was stored.
   */
  async run(asks: Client, { until = () => false, unavailable, pauseMs = 0 }: Run = {}): Promise<void> {
    while (!until()) {
      const doing = this.#choose()
      this.inFlight = doing
      let answer: Answer
      let what: 'again' | 'refused' | undefined
      try {
        do {
          answer = await doing.send(asks)
          what = [409, 503].includes(answer.status) ? await unavailable?.(answer, doing) : await inPart(answer)
        } while (what === 'again')
      } catch {
        return
      }
      this.inFlight = null
      if (what === 'refused') this.refused.push(...doing.contents)
      else doing.learn(answer)
      this.acknowledged++
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }

  #choose(): InFlight {
    const live = [...this.known.values()].filter(({ state }) => state === 'live')
    const deleted = [...this.known.values()].filter(({ state }) => state === 'deleted')
    const dice = this.#next()
    if (dice < 0.4 || live.length < 3) return this.#create()
    if (dice < 0.48) return this.#batch(this.#next() < 0.2 ? 52 : 4)
    if (dice < 0.72) return this.#update(this.#pick(live))
    if (dice < 0.82) return this.#delete(this.#pick(live), false)
    if (dice < 0.93 || deleted.length === 0) return this.#delete(this.#pick(live), true)
    return this.#restore(this.#pick(deleted))
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#next() * list.length)] as T
  }

  #body() {
    const number = ++this.#made
    const namespace = `user:${this.#name}${number % 3 === 0 ? ':notes' : ''}`
    const content = `${this.#name} number ${number} met Person${number % 7} at Company${Math.floor(this.#next() * 40)}`
    const [, person, company] = /(Person\d+) at (Company\d+)/.exec(content) as unknown as [string, string, string]
    const entities = [
      { type: 'person', value: person },
      { type: 'organization', value: company },
    ]
    const relations = [{ from: entities[0], type: 'works_at', to: entities[1] }]
    return { namespace, content, embedding: vectorOf(content, this.#dimensions), entities, relations, extractEntities: false }
  }

  #create(): InFlight {
    const dice = this.#next()
    const wait = dice < 0.15 ? { waitFor: 'graph' } : dice < 0.3 ? { waitFor: 'graph', onGraphFailure: 'rollback' } : {}
    // Either way the request can be told from another when it comes again: by its key, or by the id that the client chose.
    const keyed = dice < 0.6
    const body = { ...this.#body(), ...wait, ...(keyed ? {} : { id: v7() }) }
    const headers: Record<string, string> = keyed ? { 'idempotency-key': v7() } : {}
    const send = (asks: Client) => asks.post('/v1/memories', body, { headers })
    return {
      send,
      contents: [body.content],
      changes: null,
      pending: 'onGraphFailure' in wait,
      learn: (answer) => {
        if (!this.#expect('create', answer, 201)) return
        this.#note(answer.json.memory, 'live')
        if (keyed) this.lastKeyed = { send, id: answer.json.memory.id }
      },
    }
  }

  #batch(size: number): InFlight {
    const items = Array.from({ length: size }, () => this.#body())
    const headers = { 'idempotency-key': v7() }
    return {
      send: (asks) => asks.post('/v1/memories/batch', { items }, { headers }),
      contents: items.map(({ content }) => content),
      changes: null,
      pending: false,
      learn: (answer) => {
        if (!this.#expect('batch', answer, 200)) return
        if (answer.json.items.length !== size) this.surprises.push(`a batch of ${size} was answered with ${answer.json.items.length}`)
        for (const item of answer.json.items) {
          if (item.ok) this.#note(item.memory, 'live')
          else this.surprises.push(`an item of a batch was refused: ${JSON.stringify(item.error)}`)
        }
      },
    }
  }

  #update(memory: Known): InFlight {
    const { namespace: _, ...changes } = this.#body()
    const keyed = this.#next() < 0.5
    const headers: Record<string, string> = keyed ? { 'idempotency-key': v7() } : { 'if-match': `"${memory.version}"` }
    return {
      send: (asks) => asks.patch(`/v1/memories/${memory.id}`, changes, { headers }),
      contents: [changes.content],
      changes: memory,
      pending: false,
      learn: (answer) => {
        // Without a key the version tells whether it had happened: then nobody else than this request made the next one.
        const happened = !keyed && answer.status === 412 && answer.json.currentVersion === memory.version + 1
        if (happened) this.#note({ ...memory, content: changes.content, version: memory.version + 1 }, 'live')
        else if (this.#expect('update', answer, 200)) this.#note(answer.json.memory, 'live')
      },
    }
  }

  #delete(memory: Known, hard: boolean): InFlight {
    const keyed = this.#next() < 0.5
    const headers: Record<string, string> = keyed ? { 'idempotency-key': v7() } : {}
    let sent = 0
    return {
      send: (asks) => {
        sent++
        return asks.del(`/v1/memories/${memory.id}?hard=${hard}`, { headers })
      },
      contents: [],
      changes: memory,
      pending: false,
      learn: (answer) => {
        const happened = !keyed && sent > 1 && answer.status === 404
        if (!happened && !this.#expect('delete', answer, 200)) return
        this.#note({ ...memory, version: memory.version + 1 }, hard ? 'gone' : 'deleted')
      },
    }
  }

  #restore(memory: Known): InFlight {
    const headers = { 'idempotency-key': v7() }
    return {
      send: (asks) => asks.post(`/v1/memories/${memory.id}/restore`, {}, { headers }),
      contents: [],
      changes: memory,
      pending: false,
      learn: (answer) => {
        if (this.#expect('restore', answer, 200)) this.#note(answer.json.memory, 'live')
      },
    }
  }

  #expect(what: string, answer: Answer, status: number): boolean {
    if (answer.status !== status) this.surprises.push(`${what} was answered with ${answer.status}: ${answer.text}`)
    return answer.status === status
  }

  #note({ id, namespace, content, version }: Omit<Known, 'state'>, state: Known['state']): void {
    this.known.set(id, { id, namespace, content, version, state })
    this.touched.add(id)
  }
}
