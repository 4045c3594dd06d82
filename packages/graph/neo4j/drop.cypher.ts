import neo4j from 'neo4j-driver-lite'
import { EDGES } from './cypher.ts'
import type { Query } from './sums.cypher.ts'

const { int } = neo4j

/**
 * Edges first, out of the indexes by who asserts them: a node that thousands mention would take all of theirs along in
 * one transaction. What no index knows goes with the node it hangs on.
 */
export async function dropSome(query: Query, tenant: string, generation: number, most: number): Promise<number> {
  const parameters = { tenant, generation: int(generation), most: int(most) }
  for (const text of TEXTS) {
    const [row] = await query<{ removed: number }>({ text, parameters })
    if (row && row.removed > 0) return row.removed
  }
  return 0
}

const SOME = (match: string, away: string): string =>
  `cypher 5\nmatch ${match} where x.tenant = $tenant and x.generation = $generation${away}\nreturn count(*) as removed`

const TEXTS = [
  ...EDGES.map((type) => SOME(`()-[x:${type}]->()`, ' and x.owner is not null\nwith x limit $most\ndelete x')),
  SOME('(x:Node)', '\nwith x limit $most\ndetach delete x'),
]
