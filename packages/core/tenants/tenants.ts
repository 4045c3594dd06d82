import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod'
import { hashOf } from '../keys/keys.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'

export const Tenant = z
  .object({ id: z.string(), name: z.string(), createdAt: z.string(), suspendedAt: z.string().nullable() })
  .meta({ id: 'Tenant' })
export type Tenant = z.infer<typeof Tenant>

type Row = { id: string; name: string; created_at: string; suspended_at: string | null }
const tenantOf = (row: Row): Tenant => ({ id: row.id, name: row.name, createdAt: row.created_at, suspendedAt: row.suspended_at })

/** Tenants are managed with the operator's key, which the operation layer compares before any of these is called. */

/** Makes a tenant and its first admin key, whose secret is answered once. Refuses `conflict` for a known name. */
export async function makeTenant(deps: Deps, name: string): Promise<{ tenant: Tenant; secret: string }> {
  const [id, secret, now] = [deps.id(), deps.secret(), deps.now().toISOString()]
  await deps.db.across([sql`select make_tenant(${id}::uuid, ${name}, ${deps.id()}::uuid, ${hashOf(secret)}::bytea, ${now}::timestamptz)`], {
    write: true,
    repeatable: false,
  })
  return { tenant: { id, name, createdAt: now, suspendedAt: null }, secret }
}

/** Every tenant, oldest first. */
export async function listTenants(
  deps: Deps,
  page: { limit: number; after: string | null },
): Promise<{ items: Tenant[]; next: string | null }> {
  const [rows] = await deps.db.across([sql<Row>`select * from list_tenants(${page.after}::uuid, ${page.limit + 1}::int)`])
  const items = rows.slice(0, page.limit).map(tenantOf)
  return { items, next: rows.length > page.limit ? (items.at(-1)?.id ?? null) : null }
}

/** Suspends a tenant (its keys answer `forbidden` from now on) or lets it go on. */
export async function suspendTenant(deps: Deps, id: string, suspended: boolean): Promise<Tenant> {
  const at = suspended ? deps.now().toISOString() : null
  const [rows] = await deps.db.across([sql<Row>`select * from suspend_tenant(${id}::uuid, ${at}::timestamptz)`], { write: true })
  if (!rows[0]) throw new Refusal('not_found', 'There is no such tenant.')
  return tenantOf(rows[0])
}
