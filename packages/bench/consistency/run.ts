import { parseArgs } from 'node:util'
import { openServers, type Servers } from '../graph/stores.ts'
import { openWitness } from '../graph/witness.ts'
import { load1, machineOf, onServers, say } from '../on-servers.ts'
import { cost } from './cost.ts'
import { fill, show } from './fill.ts'
import { rebuild } from './rebuild.ts'
import { type Filled, repairs } from './repairs.ts'
import { claims, type Measured, report, type Size } from './report.ts'
import { openStores, type Store } from './stores.ts'
import { deletion } from './truth.sql.ts'

const USAGE = `npm run bench -- consistency [--sizes 10000,100000] [--json] [--write]
  --sizes  how many memories, two of them, ascending; the default takes about ten minutes
  --json   the figures as JSON in place of tables
  --write  the tables into packages/bench/CONSISTENCY.md`

/** Measures what it costs to know that both stores agree, on servers of its own. Answers how many of the claims do not hold. */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '10000,100000' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const sizes = values.sizes.split(',').map(Number)
  const [small = 0, large = 0] = sizes
  if (values.help || sizes.length !== 2 || !sizes.every(Number.isInteger) || small < 2_000 || large <= small) {
    process.stderr.write(`${USAGE}\n`)
    return values.help ? 0 : 1
  }
  return onServers({
    ...{ json: values.json, write: values.write, page: 'CONSISTENCY.md' },
    open: openServers,
    measure: (servers) => measure(servers, sizes),
    ...{ report, claims },
  })
}

async function measure(servers: Servers, sizes: readonly number[]): Promise<Measured> {
  const before = load1()
  const witness = openWitness(servers.neo4j)
  const stores = await openStores(servers, witness)
  const [{ deps }] = stores.map(({ inside }) => inside) as [Store['inside']]
  try {
    const graphs: Measured['graphs'] = []
    for (const store of stores) graphs.push(await measureStore(store, sizes))
    return {
      date: new Date().toISOString().slice(0, 10),
      machine: { ...(await machineOf(deps, witness)), load: [before, load1()] },
      graphs,
    }
  } finally {
    for (const { inside } of stores) await inside.close()
    await witness.close()
  }
}

async function measureStore({ name, inside, neo4j, ...store }: Store, sizes: readonly number[]): Promise<Measured['graphs'][number]> {
  const { deps } = inside
  const costs: Pick<Size, 'inSync' | 'afterDeletions'>[] = []
  const filled: Filled[] = []
  for (const memories of sizes) {
    const { id: tenant } = await inside.tenant()
    say(`${name}: ${memories} memories`)
    const ids = await fill(deps, tenant, memories)
    const inSync = await cost(deps, tenant, ids, store.bare(tenant))
    say(`${name}: one in a hundred deleted`)
    const gone = ids.filter((_, i) => i % 100 === 0)
    await deps.db.asTenant(
      tenant,
      deletion(
        gone.map((id) => ({ id })),
        deps.now().toISOString(),
      ),
    )
    await show(deps, tenant)
    const left = ids.filter((_, i) => i % 100 !== 0)
    costs.push({ inSync, afterDeletions: await cost(deps, tenant, left, store.bare(tenant)) })
    filled.push({ tenant, ids: left, damage: store.damage(tenant) })
  }
  say(`${name}: differences`)
  const repaired = await repairs(deps, filled)
  const measured = { name, sizes: costs.map((cost, i) => ({ ...cost, repairs: repaired[i] })) as [Size, Size] }
  if (!neo4j) return measured
  say(`${name}: rebuild`)
  const { tenant, ids } = filled.at(-1) as Filled
  return { ...measured, rebuilt: await rebuild(inside, neo4j, tenant, ids) }
}
