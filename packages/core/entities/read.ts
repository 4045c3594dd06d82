import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { EntityNode } from '../graph/node.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { entityVisible } from './visible.sql.ts'

export const noEntity = () => new Refusal('not_found', 'There is no such entity.')

export const selectEntity = (id: string, now: string): Statement<{ id: string; subject: string; node: EntityNode }> => sql`
  select e.id, e.subject, entity_node(e) as node from entities e
  where e.tenant_id = current_tenant() and e.id = ${id}::uuid and ${entityVisible(null, now)}`

/** One entity, from Postgres. Refuses `not_found`, also where no memory that the caller may see mentions it. */
export async function readEntity(deps: Deps, caller: Caller, id: string): Promise<EntityNode> {
  const { rows } = await deps.db.asCaller(caller, null, [selectEntity(id, deps.now().toISOString())])
  if (!rows[0][0]) throw noEntity()
  return rows[0][0].node
}
