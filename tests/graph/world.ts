import { createHash } from 'node:crypto'
import { normalize } from '@twofold/core/entities/mentions.ts'
import type { GraphOptions, GraphPort, GraphSession } from '@twofold/core/graph/port.ts'
import type { ProjectDeps } from '@twofold/core/graph/project.ts'
import type { Database, Deps, Settings } from '@twofold/core/ports.ts'
import { type Statement, sql } from '@twofold/core/sql.ts'
import { ALONE } from '@twofold/core/tenants/placed.ts'
import { terms } from '@twofold/core/text/words.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { silent } from '../database.ts'

export interface Tenant {
  tenant: string
  /** Of its admin key. */
  keyHash: Buffer
}

const hashed = (text: string) => createHash('sha256').update(text).digest()

export async function makeTenant(db: Database, tenant: string): Promise<Tenant> {
  const keyHash = hashed(tenant)
  await db.across([sql`select make_tenant(${tenant}::uuid, ${tenant}, ${tenant}::uuid, ${keyHash}::bytea, now())`])
  return { tenant, keyHash }
}

/** A key of the tenant that sees only these namespaces. */
export async function makeKey(db: Database, { tenant }: Tenant, namespaces: string[]): Promise<Tenant> {
  const keyHash = hashed(tenant + namespaces)
  await db.asTenant(tenant, [
    sql`insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
      values (current_tenant(), gen_random_uuid(), 'narrow', ${keyHash}::bytea, '{graph:read}', ${namespaces}::text[], now())
      on conflict do nothing`,
  ])
  return { tenant, keyHash }
}

export const callerOf = ({ keyHash }: Tenant): Caller => ({
  keyHash,
  scope: 'graph:read',
  operation: 'test',
  requestId: 'request-1',
  onBehalfOf: null,
  idempotency: null,
  requestHash: Buffer.alloc(32),
  ifMatch: null,
  timings: new Timings(),
  signal: new AbortController().signal,
})

/** A clock that stands until it is turned. */
export class Clock {
  time = new Date('2026-03-01T12:00:00Z')
  readonly now = () => new Date(this.time)
  pass(ms: number): void {
    this.time = new Date(this.time.getTime() + ms)
  }
  tick(ms: number): Date {
    this.pass(ms)
    return this.now()
  }
}

export const settings: Settings = {
  graphEnabled: true,
  rollbackOnPartialFailure: false,
  modelDeadlineMs: 1000,
  batchModelDeadlineMs: 1000,
  graphDeadlineMs: 2000,
  leaseMs: 30_000,
  autoSync: true,
  syncIntervalMs: 300_000,
  nightlyHour: 3,
  sessionEventsKept: 1000,
  turnTtlHours: 24,
  maxContextTurns: 50,
  auditRetentionDays: 365,
}

/** A graph with a count of what was applied in which session, and a place to interfere. */
export interface Watched extends GraphPort {
  applied: string[][]
  sessions: Set<GraphSession | undefined>
  before: ((ids: string[], options: GraphOptions) => Promise<void> | void) | null
}

export function watched(graph: GraphPort): Watched {
  const watching: Watched = {
    ...graph,
    applied: [],
    sessions: new Set(),
    before: null,
    async apply(tenant, batch, options) {
      const ids = batch.map(({ id }) => id)
      await watching.before?.(ids, options)
      await graph.apply(tenant, batch, options)
      watching.applied.push(ids)
      watching.sessions.add(options.session)
    },
  }
  return watching
}

let made = 0
/** Ids in the order in which they were asked for. */
export const id = (): string => `01900000-0000-7000-8000-${String(++made).padStart(12, '0')}`

export const depsOf = (db: Database, graph: GraphPort, clock: Clock): ProjectDeps & Pick<Deps, 'places'> => ({
  db,
  graph,
  places: ALONE,
  log: silent,
  settings,
  now: clock.now,
  id,
})

export interface Remembered {
  id: string
  content?: string
  namespace?: string
  kind?: string
  /** `type:value`. */
  entities?: string[]
  relations?: [from: string, type: string, to: string][]
  about?: string[]
  expiresAt?: string
  pending?: boolean
}

const subjectOf = (namespace: string) => namespace.split(':').slice(0, 2).join(':')

/** Truth rows as the write path leaves them, in a few statements; a memory that exists becomes its next version. */
export async function remember(db: Database, { tenant }: Tenant, clock: Clock, ...memories: Remembered[]): Promise<void> {
  await db.asTenant(
    tenant,
    memories.flatMap((memory) => statements(memory, clock.now().toISOString())),
  )
}

function statements(given: Remembered, now: string): Statement[] {
  const {
    id: memory,
    content = 'something',
    namespace = 'user:ada',
    kind = 'note',
    entities = [],
    relations = [],
    about = [],
    expiresAt = null,
    pending,
  } = given
  const subject = subjectOf(namespace)
  const named = entities.map((name) => {
    const [type, value] = name.split(/:(.*)/s) as [string, string]
    return {
      id: id(),
      name,
      type,
      value,
      normalized: normalize(value),
      about: about.includes(name),
      terms: terms(value).map((t) => t.term),
    }
  })
  const entityOf = (
    name: string,
  ) => sql`(select e.id from entities e, jsonb_to_recordset(${JSON.stringify(named)}::jsonb) w (name text, type text, normalized text)
    where w.name = ${name} and e.tenant_id = current_tenant() and e.subject = ${subject} and e.type = w.type and e.normalized = w.normalized)`
  return [
    sql`insert into memories (tenant_id, id, namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at, expires_at,
          version, created_by, updated_by, created_at, updated_at, pending_until)
        values (current_tenant(), ${memory}::uuid, ${namespace}, 'semantic', ${kind}, ${content}, 5, '{}', '{}', '[]', '[]', ${now}::timestamptz,
          ${expiresAt}::timestamptz, 1, 'test', 'test', ${now}::timestamptz, ${now}::timestamptz, ${pending ? now : null}::timestamptz)
        on conflict (tenant_id, id) do update set content = excluded.content, version = memories.version + 1, deleted_at = null`,
    sql`delete from relations where tenant_id = current_tenant() and memory_id = ${memory}::uuid`,
    sql`delete from memory_entities where tenant_id = current_tenant() and memory_id = ${memory}::uuid`,
    sql`with w as (select * from jsonb_to_recordset(${JSON.stringify(named)}::jsonb) w (id uuid, type text, value text, normalized text, terms int[])),
        made as (
          insert into entities (tenant_id, id, subject, type, normalized, value, created_at)
          select current_tenant(), id, ${subject}::text, type, normalized, value, ${now}::timestamptz from w on conflict do nothing returning id),
        found_by as (
          insert into entity_terms (tenant_id, term, subject, entity_id)
          select distinct current_tenant(), t, subject_number(${subject}), w.id from w join made using (id) cross join unnest(w.terms) t)
        select owe('entity', array_agg(id), array_agg(${subject}::text), ${now}::timestamptz) from made having count(*) > 0`,
    ...named.map(
      (entity) => sql`insert into memory_entities (tenant_id, memory_id, entity_id, namespace, confidence, about)
        values (current_tenant(), ${memory}::uuid, ${entityOf(entity.name)}, ${namespace}, 1, ${entity.about})`,
    ),
    ...relations.map(
      ([from, type, to]) => sql`insert into relations (tenant_id, memory_id, from_id, type, to_id, namespace, confidence)
        values (current_tenant(), ${memory}::uuid, ${entityOf(from)}, ${type}, ${entityOf(to)}, ${namespace}, 0.5)`,
    ),
    owe(memory, subject, now),
  ]
}

export const owe = (memory: string, subject: string, now: string): Statement =>
  sql`select owe('memory', array[${memory}::uuid], array[${subject}::text], ${now}::timestamptz)`

export interface LedgerRow {
  kind: string
  revision: number
  shown: number
  shown_version: number | null
  lease: string | null
  attempts: number
  parked_at: string | null
  not_before: string | null
  failure: string | null
  owed_since: string
  tombstone_at: string | null
}

export async function ledger(db: Database, { tenant }: Tenant, memory: string): Promise<LedgerRow> {
  const [rows] = await db.asTenant(tenant, [
    sql<LedgerRow>`select kind, revision, shown, shown_version, lease, attempts, parked_at, not_before, failure, owed_since, tombstone_at
      from ledger where tenant_id = current_tenant() and id = ${memory}::uuid`,
  ])
  return rows[0] as LedgerRow
}

export async function entityId(db: Database, { tenant }: Tenant, value: string, subject = 'user:ada'): Promise<string | undefined> {
  const [rows] = await db.asTenant(tenant, [
    sql<{ id: string }>`select id from entities where tenant_id = current_tenant() and value = ${value} and subject = ${subject}`,
  ])
  return rows[0]?.id
}
