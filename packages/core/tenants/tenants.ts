import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { hashOf } from '../keys/keys.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { HOME } from './placed.ts'

export const Tenant = z
  .object({
    id: z.string(),
    name: z.string(),
    placement: z.string().meta({ description: 'Where it lives: `home`, or another database and graph that the deployment names.' }),
    createdAt: z.string(),
    suspendedAt: z.string().nullable(),
  })
  .meta({ id: 'Tenant' })
export type Tenant = z.infer<typeof Tenant>

type Row = { id: string; name: string; placement: string; created_at: string; suspended_at: string | null }
const tenantOf = (row: Row): Tenant => ({
  id: row.id,
  name: row.name,
  placement: row.placement,
  createdAt: row.created_at,
  suspendedAt: row.suspended_at,
})

/** Tenants are managed with the operator's key, which the operation layer compares before any of these is called. */

/**
 * Makes a tenant and its first admin key, whose secret is answered once. Home notes first where it shall live; broken off before it
 * was made there, the same again makes it. Refuses `conflict` for a known name, `invalid` for a place that there is not.
 */
export async function makeTenant(home: Deps, name: string, placement = HOME): Promise<{ tenant: Tenant; secret: string }> {
  const there = placement === HOME ? home : await home.places.at(placement)
  if (!there)
    throw new Refusal('invalid', `There is no such place.`, {
      errors: [{ path: 'placement', message: `must be one of ${home.places.names.join(', ')}` }],
    })
  const [secret, now] = [there.secret(), home.now().toISOString()]
  let [id, createdAt] = [home.id(), now]
  if (there !== home) {
    const noted = sql<Pick<Row, 'id' | 'created_at'>>`
      select * from place_tenant(${id}::uuid, ${name}, ${placement}, ${now}::timestamptz)`
    const [[row]] = await home.db.across([noted], { write: true })
    if (row) [id, createdAt] = [row.id, row.created_at]
  }
  const made = sql`select make_tenant(${id}::uuid, ${name}, ${home.id()}::uuid, ${hashOf(secret)}::bytea, ${createdAt}::timestamptz)`
  await there.db.across([made], { write: true, repeatable: false })
  return { tenant: { id, name, placement, createdAt, suspendedAt: null }, secret }
}

/** Every tenant, oldest first. */
export async function listTenants(
  home: Deps,
  page: { limit: number; after: string | null },
): Promise<{ items: Tenant[]; next: string | null }> {
  const [rows] = await home.db.across([sql<Row>`select * from list_tenants(${page.after}::uuid, ${page.limit + 1}::int)`])
  const items = rows.slice(0, page.limit).map(tenantOf)
  return { items, next: rows.length > page.limit ? (items.at(-1)?.id ?? null) : null }
}

/** Suspends a tenant (its keys answer `forbidden` from now on) or lets it go on, at home and where it lives. */
export async function suspendTenant(home: Deps, id: string, suspended: boolean): Promise<Tenant> {
  const at = suspended ? home.now().toISOString() : null
  const suspend = sql<Row>`select * from suspend_tenant(${id}::uuid, ${at}::timestamptz)`
  const [[row]] = await home.db.across([suspend], { write: true })
  if (!row) throw new Refusal('not_found', 'There is no such tenant.')
  if (row.placement !== HOME) await (await home.places.at(row.placement))?.db.across([suspend], { write: true })
  return tenantOf(row)
}
