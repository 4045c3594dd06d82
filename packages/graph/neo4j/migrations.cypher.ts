import { EDGES } from './cypher.ts'

export interface Migration {
  readonly number: number
  readonly name: string
  /** Each changes nothing when it has been run before. */
  readonly statements: readonly string[]
}

/** Numbered, never changed, only added to. Community edition has neither node keys nor existence constraints. */
export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'nodes by id, subject and bucket, edges by owner, entities by name',
    statements: [
      'create constraint node_id if not exists for (n:Node) require (n.tenant, n.generation, n.id) is unique',
      'create index node_subject if not exists for (n:Node) on (n.tenant, n.generation, n.subject)',
      'create index node_bucket if not exists for (n:Node) on (n.tenant, n.generation, n.bucket)',
      'create index node_gone if not exists for (n:Node) on (n.tenant, n.goneAt)',
      'create index node_absent if not exists for (n:Node) on (n.tenant, n.absent)',
      ...EDGES.map(
        (type) => `create index ${type.toLowerCase()}_owner if not exists for ()-[r:${type}]-() on (r.tenant, r.generation, r.owner)`,
      ),
      'create fulltext index entity_name if not exists for (n:Entity) on each [n.value, n.normalized]',
    ],
  },
  {
    number: 2,
    // An index of three properties does not find what lacks the third: all of a tenant was a look at everybody's nodes.
    name: 'nodes of a tenant, whatever they lack',
    statements: ['create index node_tenant if not exists for (n:Node) on (n.tenant, n.generation)'],
  },
]

/** What has been run is recorded in the graph itself. */
export const RECORDS = {
  unique: 'create constraint graph_migration if not exists for (m:GraphMigration) require m.number is unique',
  read: 'match (m:GraphMigration) where m.number in $numbers return collect(m.number) as numbers',
  write: 'merge (m:GraphMigration {number: $number}) on create set m.name = $name, m.appliedAt = datetime()',
  await: 'call db.awaitIndexes(60)',
}
