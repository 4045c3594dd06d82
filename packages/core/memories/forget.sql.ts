import { type Statement, sql } from '../sql.ts'
import type { Memory } from './memory.ts'
import { unlinkEntities, type Write } from './write.sql.ts'

export const lock = (id: string): Statement => sql`
  select id from memories where tenant_id = current_tenant() and id = ${id}::uuid for update`

/** The same of many as they were read, in the order of their ids. Somebody who was quicker with one of them: `version_mismatch`. */
export const lockAll = (memories: readonly { id: string; version: number }[]): Statement[] => {
  const ids = memories.map(({ id }) => id)
  return [
    sql`select m.id from memories m where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) order by m.id for update`,
    sql`select refuse('version_mismatch', 'A memory has changed since it was read.')
      from (
        select count(*) as n from jsonb_to_recordset(${JSON.stringify(memories)}::jsonb) as s (id uuid, version int)
        join memories m on m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and m.id = s.id and m.version = s.version) c
      where c.n <> ${ids.length}`,
  ]
}

/** Guards: it is there for this caller, and at the version he named. */
export function expect(id: string, version: number | null, includeDeleted: boolean): Statement[] {
  const it = sql`from readable_memories m
    where m.tenant_id = current_tenant() and m.id = ${id}::uuid and visible(m.namespace) and (${includeDeleted}::boolean or m.deleted_at is null)`
  return [
    sql`select refuse('not_found', 'There is no such memory.') where not exists (select ${it})`,
    ...(version === null
      ? []
      : [
          sql`select refuse('version_mismatch', format('The memory is at version %s.', m.version), jsonb_build_object('currentVersion', m.version))
            ${it} and m.version <> ${version}::int`,
        ]),
  ]
}

/** Mentions and relations go; entities left alone become candidates for collection, or (not cascading) entities in their own right. */
export function unlink(ids: readonly string[], cascade: boolean, now: string): Statement[] {
  const keep = sql`
    update entities e set explicit = true
    where e.tenant_id = current_tenant() and not e.explicit
      and e.id in (select entity_id from memory_entities where tenant_id = current_tenant() and memory_id = any(${ids}::uuid[]))`
  return [...(cascade ? [] : [keep]), unlinkEntities(ids, now)]
}

export interface Removed {
  subject: string
  memory: Memory
}

/** What takes its place, and why. */
export interface Superseded {
  id: string
  by: string
  reason: string
}

/**
 * A soft deletion is a version of its own, so that history and searches as of then tell the truth. Its request is not
 * noted with the version: it said nothing that a hard deletion would have to forget, and is answered the same ever after.
 */
export const retire = (
  ids: readonly string[],
  { action, reason, now, by = [] }: Omit<Write, 'idempotencyKey'> & { by?: readonly Superseded[] },
): Statement<Removed> => sql<Removed>`
  with w as (select * from jsonb_to_recordset(${JSON.stringify(by)}::jsonb) as w (id uuid, by uuid, reason text)),
  gone as (
    update memories m set deleted_at = ${now}::timestamptz, superseded_by = (select w.by from w where w.id = m.id), version = m.version + 1,
      updated_by = current_actor(), updated_at = greatest(${now}::timestamptz, m.updated_at + interval '1 ms')
    where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and m.deleted_at is null and m.pending_until is null
    returning m.*),
  versioned as (
    insert into memory_versions (tenant_id, memory_id, version, namespace, action, reason, actor, on_behalf_of, request_id, at, memory, terms, counts, tokenizer)
    select g.tenant_id, g.id, g.version, g.namespace, ${action}, coalesce((select w.reason from w where w.id = g.id), ${reason}), current_actor(),
      nullif(current_setting('twofold.behalf', true), ''), nullif(current_setting('twofold.request', true), ''), g.updated_at, memory_json(g),
      v.terms, v.counts, v.tokenizer
    from gone g join memory_versions v on v.tenant_id = g.tenant_id and v.memory_id = g.id and v.version = g.version - 1)
  select subject, memory_json(gone) as memory from gone`

/**
 * What idempotency rows know of the requests that wrote these memories: nothing from now on; sent again, they are `gone`.
 * A key that was used anew since, for something else or for the deletion, is another request's.
 */
export const releaseKeys = (ids: readonly string[]): Statement => sql`
  with wrote as materialized (
    select distinct v.actor, v.idempotency_key as key from memory_versions v
    where v.tenant_id = current_tenant() and v.memory_id = any(${ids}::uuid[]) and v.idempotency_key is not null)
  update idempotency_keys k set request_hash = null
  from wrote w
  where k.tenant_id = current_tenant() and k.key_id = any(array(select actor from wrote)) and k.key = any(array(select key from wrote))
    and k.key_id = w.actor and k.key = w.key
    and exists (select from jsonb_to_recordset(k.targets) as t (id uuid, version int) where t.id = any(${ids}::uuid[]) and t.version is not null)`

/** Every version there is of those of these memories that the caller may see. */
export const versionsOf = (ids: readonly string[]): Statement<Pick<Removed, 'memory'>> => sql<Pick<Removed, 'memory'>>`
  select v.memory from memory_versions v join memories m on m.tenant_id = v.tenant_id and m.id = v.memory_id
  where v.tenant_id = current_tenant() and v.memory_id = any(${ids}::uuid[]) and m.pending_until is null and visible(m.namespace)`

/** The rows and all that hangs on them, for good. Answers every version there was, so that caches can be cleared of them. */
export const erase = (ids: readonly string[]): Statement<Removed> => sql<Removed>`
  with versions as (
    select v.memory_id, v.memory from memory_versions v where v.tenant_id = current_tenant() and v.memory_id = any(${ids}::uuid[])),
  gone as (delete from memories where tenant_id = current_tenant() and id = any(${ids}::uuid[]) returning id, subject)
  select gone.subject, versions.memory from gone join versions on versions.memory_id = gone.id`

export interface LedgerRow {
  shown: boolean
  shown_at: string | null
  parked: boolean
}

export const ledgerOf = (id: string): Statement<LedgerRow> => sql<LedgerRow>`
  select revision = shown as shown, iso(shown_at) as shown_at, parked_at is not null as parked
  from ledger where tenant_id = current_tenant() and id = ${id}::uuid`
