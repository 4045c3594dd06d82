import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import type { CacheState } from '../memories/answer.ts'
import type { Receipt } from '../memories/memory.ts'
import { announce, type InSession } from '../memories/remember.ts'
import { gone } from '../memories/replay.ts'
import { insertEntities, type NamedEntity } from '../memories/write.sql.ts'
import { below, Subject } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { EntityName } from './entity.ts'
import { normalize } from './mentions.ts'
import { type EntityRow, type Standing, selectNamed } from './write.sql.ts'

/** What names an entity of a tenant. */
export const SubjectEntity = EntityName.extend({ subject: Subject })
export type SubjectEntity = z.infer<typeof SubjectEntity>

export const WaitFor = z.enum(['vector', 'graph']).optional()

/** Gives each name the id that it will have if it is new; spellings of one name get one. */
export function naming(deps: Pick<Deps, 'id'>): (named: SubjectEntity) => NamedEntity {
  const known = new Map<string, NamedEntity>()
  return ({ type, value, subject }) => {
    const normalized = normalize(value)
    const name = JSON.stringify([subject, type, normalized])
    const entity = known.get(name) ?? { id: deps.id(), subject, type, value, normalized }
    known.set(name, entity)
    return entity
  }
}

interface Making<Row> {
  entities: readonly NamedEntity[]
  /** Ids of what the request names, each its own should it be new, in its order. */
  ids: readonly string[]
  statements: (now: string) => Statement[]
  select: Statement<Row>
}

export interface Made<Row> {
  entities: EntityRow[]
  rows: Row[]
  /** The ids that were given to what was new. */
  created: ReadonlySet<string>
  receipt: Receipt
  replayed: boolean
}

/**
 * Makes entities for their own sake, and what `statements` make with them, in one statement list; then the graph, at once
 * in a `session` or when the caller waits for it. Needs a grant that covers each subject as a whole (`forbidden`).
 */
export async function makeExplicit<Row>(
  deps: Deps,
  caller: Caller,
  { entities, ids, statements, select }: Making<Row>,
  { waits, session }: InSession & { waits: boolean },
): Promise<Made<Row>> {
  const now = deps.now().toISOString()
  const subjects = [...new Set(entities.map((e) => e.subject))]
  const ranges = subjects.flatMap(below)
  const look = [selectNamed(entities), select] as const
  const before = [
    ...claim(
      caller,
      ids.map((id) => ({ id })),
      now,
    ),
    insertEntities(entities, now, true),
    ...statements(now),
  ]
  const made = (seen: readonly unknown[][], created: readonly string[], replayed: boolean, cache: CacheState): Made<Row> => {
    const [rows, others] = seen.slice(-2) as [EntityRow[], Row[]]
    return { entities: rows, rows: others, created: new Set(created), receipt: receiptOf(deps, rows, now, cache), replayed }
  }
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, ranges, [...before, ...look], {
      write: true,
      repeatable: caller.idempotency !== null,
    })
    const written = (rows.at(-2) as EntityRow[]).map(({ node }) => node)
    const atOnce = (waits || session !== undefined) && deps.settings.graphEnabled
    const cache = await announce(deps, caller, authorized, written, { atOnce, session })
    return made(atOnce ? await afterWriting(deps.db.asTenant(authorized.tenant, look)) : rows, ids, false, cache)
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    const { rows } = await afterWriting(deps.db.asCaller(caller, ranges, look))
    if (rows[0].length < entities.length) throw gone()
    return made(
      rows,
      error.targets.map(({ id }) => id as string),
      true,
      'written',
    )
  }
}

export function receiptOf(deps: Pick<Deps, 'settings'>, rows: readonly Standing[], now: string, cache: CacheState): Receipt {
  const shown = rows.every((row) => row.shown)
  const state = !deps.settings.graphEnabled ? 'disabled' : shown ? 'written' : rows.some((row) => row.parked) ? 'failed' : 'owed'
  return {
    vectorWriteSuccess: true,
    graphWriteSuccess: state === 'written',
    stores: {
      vector: { state: 'written', version: null, at: now },
      graph: {
        state,
        version: null,
        at:
          state === 'written'
            ? (rows
                .map((row) => row.shown_at ?? now)
                .sort()
                .at(-1) ?? now)
            : null,
      },
      cache: { state: cache },
    },
    owed: [...(state === 'owed' ? (['graph'] as const) : []), ...(cache === 'failed' ? (['cache'] as const) : [])],
  }
}
