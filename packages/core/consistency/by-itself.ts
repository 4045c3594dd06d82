import type { Deps } from '../ports.ts'
import { beginRun, type NewRun } from './run.sql.ts'
import { type Advancing, advance } from './run.ts'

/** What nobody asks for is found and repaired in all of a tenant; what somebody made by hand is left to a person. */
const whole = (id: string, operation: NewRun['operation'], deep: boolean): NewRun => ({
  ...{ id, operation, prefixes: ['*'], asked_by: null, exclusive: false },
  options: { limit: 100, dryRun: false, deep, adopt: false, clearExisting: true },
})

/** Looks again at what was shown since the last time, as far as time allows; `goOn` does the rest. */
export async function syncChanges(deps: Deps, tenant: string, advancing: Advancing): Promise<void> {
  const [id, lease] = [deps.id(), deps.id()]
  await deps.db.asTenant(tenant, [beginRun(whole(id, 'incremental', false), lease, deps.now().toISOString())])
  await advance(deps, tenant, id, { ...advancing, lease })
}

/** Begins a deep look at everything, for `goOn` to do. */
export async function beginNightly(deps: Pick<Deps, 'db' | 'id' | 'now'>, tenant: string): Promise<void> {
  await deps.db.asTenant(tenant, [beginRun(whole(deps.id(), 'nightly', true), null, deps.now().toISOString())])
}
