import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { createEntity, EntitiesInput } from '../entities/create.ts'
import { LinksInput, linkNodes } from '../entities/link.ts'
import type { GraphSession } from '../graph/port.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type Difference, isUuid } from './difference.ts'

interface Name {
  type: string
  value: string
  subject: string
}

/**
 * Takes entities that somebody added to the graph by hand into Postgres, and edges between entities, as if a caller had
 * made them explicitly; they get ids of their own, so what was made by hand can then be removed. Answers those that were
 * taken. What lacks a name, or is not allowed, is not.
 */
export async function adopt(
  deps: Deps,
  caller: Caller,
  tenant: string,
  differences: readonly Difference[],
  { session }: { session: GraphSession },
): Promise<Set<Difference>> {
  const names = new Map<string, unknown>()
  for (const { id, made } of differences) if (id !== null && made && 'entity' in made) names.set(id, nameOf(made.entity))
  const ends = differences.flatMap(({ made }) => (made && 'edge' in made ? [String(made.edge.from), String(made.edge.to)] : []))
  const [known] = await deps.db.asTenant(tenant, [entitiesOf(ends.filter(isUuid))])
  for (const { id, ...name } of known) names.set(id, name)
  const adopted = new Set<Difference>()
  for (const one of differences) {
    if (one.made && (await taken(deps, caller, one.made, names, session))) adopted.add(one)
  }
  return adopted
}

const nameOf = ({ type, value, subject }: Record<string, unknown>) => ({ type, value, subject })

const entitiesOf = (ids: readonly string[]): Statement<Name & { id: string }> =>
  sql<Name & { id: string }>`
  select e.id, e.type, e.value, e.subject from entities e where e.tenant_id = current_tenant() and e.id = any(${ids}::uuid[])`

async function taken(
  deps: Deps,
  caller: Caller,
  made: NonNullable<Difference['made']>,
  names: ReadonlyMap<string, unknown>,
  session: GraphSession,
): Promise<boolean> {
  // The run's own Idempotency-Key protects the run, not each thing in it.
  const own = { ...caller, idempotency: null }
  try {
    if ('entity' in made) {
      const input = EntitiesInput.safeParse({ entities: [nameOf(made.entity)] })
      if (input.success) await createEntity(deps, own, input.data, { session })
      return input.success
    }
    const { from, to, relation } = made.edge
    const input = LinksInput.safeParse({ links: [{ from: names.get(String(from)), type: relation, to: names.get(String(to)) }] })
    if (input.success) await linkNodes(deps, own, input.data, { session })
    return input.success
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}
