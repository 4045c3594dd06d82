import { type Statement, sql } from '../sql.ts'
import type { ApiKey } from './key.ts'

type Row = { key: ApiKey }

const shown = sql`jsonb_build_object('id', k.id, 'name', k.name, 'scopes', to_jsonb(k.scopes), 'namespaces', to_jsonb(k.namespaces),
  'createdAt', iso(k.created_at), 'expiresAt', iso(k.expires_at), 'lastUsedAt', iso(k.last_used_at), 'revokedAt', iso(k.revoked_at)) as key`

/** A key is managed only by one that may see everything it may see; otherwise rotating it would be a way up. */
const mine = sql`k.tenant_id = current_tenant() and not exists (
  select from ranges_of(k.namespaces) r
  where not exists (select from granted() g where r.low >= g.low collate "C" and r.high <= g.high collate "C"))`

export const insertKey = (
  key: { id: string; name: string; hash: Buffer; scopes: string[]; namespaces: string[]; expiresAt: string | null },
  now: string,
): Statement => sql`
  insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at, expires_at)
  values (current_tenant(), ${key.id}::uuid, ${key.name}, ${key.hash}::bytea, ${key.scopes}::text[], ${key.namespaces}::text[], ${now}::timestamptz, ${key.expiresAt}::timestamptz)`

export const selectKey = (id: string): Statement<Row> => sql<Row>`select ${shown} from api_keys k where ${mine} and k.id = ${id}::uuid`

export const selectKeys = (limit: number, after: string | null): Statement<Row> => sql<Row>`
  select ${shown} from api_keys k
  where ${mine} and k.revoked_at is null and (${after}::uuid is null or k.id > ${after}::uuid) order by k.id limit ${limit}::int`

export const revokeKey = (id: string, now: string): Statement<Row> => sql<Row>`
  update api_keys k set revoked_at = coalesce(k.revoked_at, ${now}::timestamptz) where ${mine} and k.id = ${id}::uuid returning ${shown}`

/** The database tells the old hash to nobody, not even to this statement's client. */
export const rotateKey = (id: string, hash: Buffer, formerUntil: string | null): Statement<Row> => sql<Row>`
  with allowed as (select k.id from api_keys k where ${mine} and k.id = ${id}::uuid and k.revoked_at is null)
  select rotate_key((select id from allowed), ${hash}::bytea, ${formerUntil}::timestamptz) as rotated, ${shown}
  from api_keys k join allowed using (id)`
