import { SyncInput } from '@twofold/core/consistency/answer.ts'
import { stopRun } from '@twofold/core/consistency/follow.ts'
import { sync } from '@twofold/core/consistency/sync.ts'
import { PersistenceError } from '@twofold/core/failures.ts'
import type { Memory } from '@twofold/core/memories/memory.ts'
import type { Authorized, Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { ALONE } from '@twofold/core/tenants/placed.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { SQSEvent } from 'aws-lambda'
import { silent } from '../database.ts'
import type { Tenant } from '../graph/world.ts'
import { type Clock, type Stores, settings } from './clock.ts'
import type { Command, Sweep } from './commands.ts'
import { expects } from './expects.ts'
import { troubledCache, troubledDatabase, troubledGraph, troubledModels, type Watch } from './faults.ts'
import { Flight } from './flight.ts'
import { Broken, Model, type Outcome } from './model.ts'
import { type Request, requestOf } from './requests.ts'
import { send } from './send.ts'
import { NEVER, SWEEP } from './sweeps.ts'

/** One run: a tenant of its own, and all that is under way in it. */
export class Stage {
  readonly model = new Model()
  readonly messages: string[][] = []
  readonly #late: (() => Promise<void>)[] = []
  #flights: Flight[] = []
  readonly #sent: Request[] = []
  #made = 0
  /** The run that somebody began last. */
  #run: string | null = null
  readonly #vectors = new Map<string, Float32Array>()
  /** The first thing that should never have happened. */
  #violation: unknown = null
  readonly stores: Stores
  readonly tenant: Tenant
  readonly clock: Clock

  constructor(stores: Stores, tenant: Tenant, clock: Clock) {
    ;[this.stores, this.tenant, this.clock] = [stores, tenant, clock]
  }

  /** Ids in the order in which they were asked for, each in a bucket of its own. */
  readonly #id = () => this.#idOf(++this.#made)
  readonly #idOf = (n: number) => `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`

  async play(command: Command): Promise<void> {
    for (const flight of this.#flights) if (flight.waited()) await this.#note(flight, flight.thaw())
    const flight = new Flight(command.faults, this.clock)
    await this.#note(
      flight,
      flight.start(() => this.#perform(command, flight)),
    )
  }

  async #note(flight: Flight, run: Promise<'done' | 'frozen'>): Promise<void> {
    const state = await run
    this.#flights = this.#flights.filter((other) => other !== flight)
    if (state === 'frozen' && !flight.dead) this.#flights.push(flight)
    if (this.#violation) throw this.#violation
    if (flight.failure) throw flight.failure
  }

  /** Whatever stands still goes on, and what is under way arrives. The dead stay dead. */
  async calm(): Promise<void> {
    while (this.#flights.length > 0) for (const flight of [...this.#flights]) await this.#note(flight, flight.thaw())
    for (const arrive of this.#late.splice(0)) await arrive()
  }

  #violate(error: unknown): void {
    this.#violation ??= error
  }

  async #perform(command: Command, flight: Flight): Promise<void> {
    switch (command.do) {
      case 'pass':
        return this.clock.pass(command.ms)
      case 'arrive': {
        const [arrive] = this.#late.splice(command.which % Math.max(1, this.#late.length), 1)
        return arrive?.()
      }
      case 'deliver':
        return this.deliver(flight, this.#pick(command.which, command.count, command.keep))
      case 'relay':
      case 'pending':
      case 'expire':
      case 'collect':
      case 'backfill':
      case 'purge':
      case 'requests':
      case 'changed':
      case 'nightly':
      case 'runs':
      case 'retired':
      case 'poison':
        return this.sweep(command.do, flight)
      case 'sync':
        return this.#sync(command, flight)
      case 'stop':
        return this.#stop(flight)
      case 'again': {
        const request = this.#sent.at(-1 - command.back)
        return request && this.#ask(request, flight)
      }
      default: {
        const { model, clock } = this
        const request = requestOf(command, { now: clock.now(), ids: model.ids, versionOf: (id) => model.memories.get(id)?.version })
        if (!request) return
        this.#sent.push(request)
        return this.#ask(request, flight)
      }
    }
  }

  /** Sends a request and holds its answer against what is true. */
  async #ask(request: Request, flight: Flight): Promise<void> {
    const { model } = this
    const expected = expects(model, request, this.clock.now().getTime())
    const made = (request.verb === 'remember' && request.input.id) || this.#idOf(this.#made + 1)
    let written = false
    const told = {
      extracted: true,
      wrote: (rows: readonly unknown[], at: number) => {
        written = true
        const ids = rows.flatMap((row) => (row as { memory?: Memory }).memory?.id ?? [])
        // What is pending is not answered yet; its id is the first that was made for it.
        model.committed(request, ids.length > 0 ? ids : [made], at, told.extracted)
      },
    }
    const answered = await send(this.deps(flight, told), this.caller(request), request).catch((error): string => {
      if (error instanceof Refusal) return error.code
      if (error instanceof PersistenceError) return error.unsure ? 'unsure' : 'unavailable'
      throw error
    })
    this.#judge(request, answered, { expected: flight.troubled ? null : expected, written })
  }

  /** Whether the answer is true; the one that was `expected` unless something went wrong on the way. */
  #judge(request: Request, answered: Outcome, { expected, written }: { expected: Outcome | null; written: boolean }): void {
    const { verb } = request
    const rollback = verb === 'remember' && request.input.onGraphFailure === 'rollback'
    const kinds = (outcome: Outcome | null) => (verb === 'batch' && outcome === 'in_progress' ? 'conflict' : outcome)
    // Somebody dead may hold the row that the graph was to show at once.
    const refused = rollback && expected === 'ok' && answered === 'unavailable'
    if (expected !== null && kinds(answered) !== kinds(expected) && !refused)
      throw new Broken(`${verb} was answered ${answered} in place of ${expected}`)
    if (answered === 'ok' && !written && verb !== 'batch') throw new Broken(`${verb} was acknowledged and not done`)
    if (written && !rollback && !['ok', 'again', 'unsure'].includes(answered)) throw new Broken(`${verb} was done and answered ${answered}`)
  }

  caller(request: Request | null): Caller {
    return {
      keyHash: this.tenant.keyHash,
      scope: null,
      operation: request?.verb ?? 'sync',
      requestId: 'soak',
      onBehalfOf: null,
      idempotency: request === null || request.once === null ? null : { key: request.once },
      requestHash: Buffer.from(request?.hash ?? '', 'hex'),
      ifMatch: request?.verb === 'update' ? request.ifMatch : null,
      timings: new Timings(),
      signal: NEVER,
    }
  }

  /** What the service stands on in this flight. */
  deps(flight: Flight, told: { extracted: boolean; wrote: Watch['wrote'] }): Deps {
    const { stores, clock, tenant } = this
    const watch: Watch = {
      now: () => clock.now().getTime(),
      wrote: (rows, at) => {
        try {
          told.wrote(rows, at)
        } catch (error) {
          this.#violate(error)
        }
      },
      did: () => this.#look().catch((error) => this.#violate(error)),
      late: (arrive) => void this.#late.push(arrive),
    }
    const authorized = { tenant: tenant.tenant, keyId: tenant.tenant, scopes: [], grants: ['*'] } satisfies Authorized
    return {
      db: troubledDatabase(stores.db, flight, watch),
      graph: troubledGraph(stores.graph, flight, watch),
      cache: troubledCache(this.#vectors, flight),
      ...troubledModels(flight, told),
      language: null,
      queue: { nudge: async (_: string, ids: readonly string[]) => void this.messages.push([...ids]) },
      audit: { note: () => undefined, flush: async () => undefined },
      places: ALONE,
      log: silent,
      gauge: () => undefined,
      settings,
      metrics: async () => '',
      now: clock.now,
      id: this.#id,
      secret: () => '',
      verifiedKeys: { get: () => authorized },
    }
  }

  /** What became of memories that somebody else decides about. */
  async #look(): Promise<void> {
    const open = this.model.undecided(this.clock.now().getTime())
    if (open.length === 0) return
    const [rows] = await this.stores.db.asTenant(this.tenant.tenant, [
      sql<{ id: string; pending: boolean; owing: boolean; deleted: boolean }>`
        select id, pending_until is not null as pending, owes_entities as owing, deleted_at is not null as deleted
        from memories where tenant_id = current_tenant() and id = any(${open.map(({ id }) => id)}::uuid[])`,
    ])
    const seen = new Map(rows.map((row) => [row.id, row]))
    for (const memory of open) this.model.decided(memory, seen.get(memory.id))
  }

  #pick(which: number, count: number, keep: boolean): string[][] {
    const { messages } = this
    if (messages.length === 0) return []
    const from = which % messages.length
    return keep ? messages.slice(from, from + count) : messages.splice(from, count)
  }

  /** Messages as the queue hands them over; what fails comes again. */
  async deliver(flight: Flight, messages: readonly string[][]): Promise<void> {
    const Records = messages.map((ids, i) => ({ messageId: String(i), body: JSON.stringify({ tenant: this.tenant.tenant, ids }) }))
    const { batchItemFailures } = await graphWrites(this.deps(flight, BACKGROUND))({ Records } as SQSEvent)
    for (const { itemIdentifier } of batchItemFailures) this.messages.push(messages[Number(itemIdentifier)] as string[])
  }

  /** One round of what no request waits for. What a store refuses it, the next round does. */
  async sweep(name: Sweep, flight = new Flight([], this.clock)): Promise<void> {
    const deps = this.deps(flight, BACKGROUND)
    const { tenant } = this.tenant
    try {
      await SWEEP[name](deps, tenant)
      if (name === 'requests') this.model.forgets(deps.now().getTime())
    } catch (error) {
      if (!(flight.troubled && error instanceof PersistenceError)) throw error
    }
  }

  /** Nobody touches the graph by hand, so whenever somebody looks there is nothing to find. */
  async #sync({ operation, deep, all, clear }: Extract<Command, { do: 'sync' }>, flight: Flight): Promise<void> {
    const where = all ? {} : { namespacePrefix: 'user:ada' }
    const input = SyncInput.parse({ operation, deep, clearExisting: clear, ...where })
    const deps = this.deps(flight, BACKGROUND)
    try {
      const { runId, result } = await sync(deps, this.caller(null), input)
      this.#run = runId
      this.#none(result.inconsistencies)
    } catch (error) {
      const excluded = operation === 'rebuild' && all && clear && error instanceof Refusal && error.code === 'conflict'
      // Whoever stands still for longer than his lease is overtaken.
      const overtaken = flight.troubled && error instanceof Refusal && error.code === 'conflict'
      if (!excluded && !overtaken && !(flight.troubled && error instanceof PersistenceError)) throw error
    }
  }

  async #stop(flight: Flight): Promise<void> {
    if (this.#run === null) return
    try {
      await stopRun(this.deps(flight, BACKGROUND), this.caller(null), this.#run)
    } catch (error) {
      if (!(flight.troubled && error instanceof PersistenceError)) throw error
    }
  }

  #none(found: readonly unknown[]): void {
    if (found.length > 0) throw new Broken(`found what cannot be: ${JSON.stringify(found)}`)
  }
}

const BACKGROUND = { extracted: true, wrote: () => undefined }
