import type { Database } from '@twofold/core/ports.ts'
import { raw } from '@twofold/core/sql.ts'
import type { Tamperer, Tampering, Victim } from './tamper.ts'

const node = (set: string) => `update graph.nodes set ${set} where tenant_id = twofold.current_tenant() and id = :memory`
const edge = (set: string) =>
  `update graph.edges set ${set} where tenant_id = twofold.current_tenant() and owner = :memory and to_id = :entity`
const add = (
  id: string,
  kind: string,
  properties = '{}',
) => `insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, digest_high, digest_low, labels, properties)
  values (twofold.current_tenant(), 1, ${id}, '${kind}', 'user:ada', 7, twofold.bucket_of(${id}), 11, 12, '{}', '${properties}')`
const link = (
  owner: string,
  type: string,
  from: string,
  to: string,
) => `insert into graph.edges (tenant_id, generation, owner, type, from_id, to_id, relation, namespace, confidence)
  values (twofold.current_tenant(), 1, ${owner}, '${type}', ${from}, ${to}, 'by hand', 'user:ada', 1)`

const wrong = (name: string, does: string, kinds: 'wrong_property' | 'wrong_edge' | 'both-edges', deep?: true): Tampering => ({
  name,
  does,
  finds:
    kinds === 'both-edges'
      ? [
          ['wrong_edge', 'memory'],
          ['wrong_edge', 'memory'],
        ]
      : [[kinds, 'memory']],
  ...(deep && { deep }),
})

/** Every column of the tables, and every way to have a row too many or too few. */
const tamperings: Tampering[] = [
  {
    name: 'a memory that is gone',
    does: `delete from graph.nodes where tenant_id = twofold.current_tenant() and id = :memory`,
    finds: [['missing', 'memory']],
  },
  {
    name: 'an entity that is gone',
    does: `delete from graph.nodes where tenant_id = twofold.current_tenant() and id = :entity`,
    finds: [['missing', 'entity']],
  },
  { name: 'a memory that became a tombstone', does: node('gone_at = now()'), finds: [['missing', 'memory']] },
  {
    name: 'a memory under another id',
    does: node('id = :fresh'),
    finds: [
      ['missing', 'memory'],
      ['orphaned', 'fresh'],
    ],
    deep: true,
    owes: ['memory'],
  },
  { name: 'a memory of another generation', does: node('generation = 9'), finds: [['missing', 'memory']] },
  wrong('a digest', node('digest_high = digest_high + 1'), 'wrong_property'),
  wrong('a digest that is gone', node('digest_low = null'), 'wrong_property'),
  wrong('a revision of the past', node('revision = 0'), 'wrong_property'),
  wrong('a revision beyond every fence', node('revision = 2147483647'), 'wrong_property'),
  wrong('a bucket', node('bucket = (bucket + 7) % 1024'), 'wrong_property'),
  wrong('a bucket that there is not', node('bucket = 5000'), 'wrong_property'),
  wrong('a subject', node(`subject = 'user:eve'`), 'wrong_property', true),
  wrong('a kind', node(`kind = 'session'`), 'wrong_property', true),
  wrong('a label', node(`labels = labels || '{Decision}'`), 'wrong_property', true),
  wrong('a property', node(`properties = properties || '{"importance": 9.5}'`), 'wrong_property', true),
  wrong('a property that is gone', node(`properties = properties - 'occurredAt'`), 'wrong_property', true),
  wrong('a property too many', node(`properties = properties || '{"by": ["hand"]}'`), 'wrong_property', true),
  wrong(
    'an edge that is gone',
    `delete from graph.edges where tenant_id = twofold.current_tenant() and owner = :memory and to_id = :entity`,
    'wrong_edge',
  ),
  wrong('an edge too many', link(':memory', 'ABOUT', ':memory', ':other'), 'wrong_edge'),
  wrong('an edge to another end', edge('to_id = :other'), 'both-edges', true),
  wrong('an edge the other way round', edge('from_id = to_id, to_id = from_id'), 'both-edges', true),
  wrong('an edge of another type', edge(`type = 'PRODUCED'`), 'both-edges', true),
  wrong('an edge of another relation', edge(`relation = 'likes'`), 'both-edges', true),
  wrong('an edge of another namespace', edge(`namespace = 'user:ada:work'`), 'both-edges', true),
  wrong('an edge of another confidence', edge('confidence = 0.25'), 'both-edges', true),
  {
    name: 'an edge that something else asserts',
    does: edge('owner = :other'),
    finds: [
      ['wrong_edge', 'memory'],
      ['wrong_edge', 'other'],
    ],
  },
  {
    name: 'an edge that nothing asserts',
    does: edge('owner = :fresh'),
    finds: [
      ['wrong_edge', 'memory'],
      ['orphaned', 'fresh'],
    ],
    owes: ['memory'],
  },
  { name: 'an edge that nobody asserts', does: link(':fresh', 'MENTIONS', ':memory', ':entity'), finds: [['orphaned', 'fresh']], owes: [] },
  {
    name: 'a memory that nobody remembered',
    does: add(':fresh', 'memory', '{"namespace": "user:ada"}'),
    finds: [['orphaned', 'fresh']],
    owes: [],
  },
  {
    name: 'an entity that nobody named',
    does: add(':fresh', 'entity', '{"type": "person", "value": "Eve"}'),
    finds: [['orphaned', 'fresh']],
    owes: [],
  },
  {
    name: 'a session that nobody began',
    does: add(':fresh', 'session', '{"namespace": "user:ada"}'),
    finds: [['orphaned', 'fresh']],
    owes: [],
  },
  {
    name: 'an entity that nobody named, with an edge to it',
    does: `${add(':fresh', 'entity', '{"type": "person", "value": "Mallory"}')};${link(':memory', 'MENTIONS', ':memory', ':fresh')}`,
    finds: [
      ['orphaned', 'fresh'],
      ['wrong_edge', 'memory'],
    ],
    owes: ['memory'],
  },
]

/** In the graph of the embedded adapter, by statements. */
export const tables = (db: Database): Tamperer => ({
  tamperings,
  async run(tenant, { does }, victim: Victim) {
    const values: Record<string, string> = { ...victim }
    const text = does.replaceAll(/:(memory|entity|other|fresh)\b/g, (_, name) => `'${values[name]}'::uuid`)
    await db.asTenant(tenant, text.split(';').map(raw))
  },
  close: async () => undefined,
})
