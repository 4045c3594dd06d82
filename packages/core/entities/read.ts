import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { EntityNode } from '../graph/node.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { entityVisible } from './visible.sql.ts'

export const noEntity = () => new Refusal('not_found', 'There is no such entity.')

/** The id under which it is known: its own, or that of the one it was merged into. */
export const keptId = (id: string): Statement => sql`
  (select coalesce(n.kept_id, n.id) from entities n where n.tenant_id = current_tenant() and n.id = ${id}::uuid)`

/** The entity of this id, or the one it was merged into. */
export const selectEntity = (
  id: string,
  now: string,
  ranges: readonly Range[] | null = null,
): Statement<{ id: string; subject: string; node: EntityNode }> => sql`
  select e.id, e.subject, entity_node(e) as node from entities e
  where e.tenant_id = current_tenant() and e.id = ${keptId(id)} and ${entityVisible(ranges, now)}`

/** One entity, from Postgres; of one that was merged the one that is kept. Refuses `not_found`, also where no memory that the caller may see mentions it. */
export async function readEntity(deps: Deps, caller: Caller, id: string): Promise<EntityNode> {
  const { rows } = await deps.db.asCaller(caller, null, [selectEntity(id, deps.now().toISOString())])
  if (!rows[0][0]) throw noEntity()
  return rows[0][0].node
}
