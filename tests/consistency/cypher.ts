import { EDGES } from '@twofold/graph/neo4j/cypher.ts'
import { server } from '@twofold/graph/neo4j/real.fixture.ts'
import neo4j from 'neo4j-driver-lite'
import type { Tamperer, Tampering } from './tamper.ts'

const at = (name: string) => `match (n:Node {tenant: $tenant, generation: 1, id: $${name}})`
const of = (type: string) => `match (a)-[r:${type} {tenant: $tenant, generation: 1, owner: $memory}]->(b)`
const mention = `${of('MENTIONS')} where b.id = $entity`
const again = (type: string, from: string, to: string, set = '') =>
  `${mention} with a, r, b create (${from})-[s:${type}]->(${to}) set s = properties(r) ${set}`
const made = (labels: string, set: string) => `create (n:${labels}) set n = {tenant: $tenant, generation: 1, ${set}}`
const whole = `id: $fresh, subject: 'user:ada', revision: 7, bucket: $bucket, digestHigh: 11, digestLow: 12`

const wrong = (name: string, does: string, kind: 'wrong_property' | 'wrong_edge' | 'duplicate' | 'missing', deep?: true): Tampering => ({
  ...{ name, does, finds: [[kind, 'memory']] },
  ...(deep && { deep }),
})
const set = (name: string, what: string, deep?: true) => wrong(name, `${at('memory')} set ${what}`, 'wrong_property', deep)

/** Every label, property, type and direction there is, and what no projection makes at all. */
const tamperings: Tampering[] = [
  wrong('a memory that is gone', `${at('memory')} detach delete n`, 'missing'),
  {
    name: 'an entity that is gone with its edges',
    does: `${at('entity')} detach delete n`,
    finds: [
      ['missing', 'entity'],
      ['wrong_edge', 'memory'],
    ],
  },
  wrong('a memory without the label that readers look for', `${at('memory')} remove n:Node`, 'missing'),
  wrong('a memory of another tenant', `${at('memory')} set n.tenant = $fresh`, 'missing'),
  wrong('a memory of another generation', `${at('memory')} set n.generation = 9`, 'missing'),
  wrong('a memory that became a tombstone', `${at('memory')} set n.goneAt = datetime()`, 'missing'),
  wrong('a memory that became a place', `${at('memory')} set n.absent = true`, 'missing'),
  wrong('a memory without a subject', `${at('memory')} remove n.subject`, 'missing'),
  {
    name: 'a memory under another id',
    does: `${at('memory')} set n.id = $fresh`,
    finds: [
      ['missing', 'memory'],
      ['orphaned', 'fresh'],
    ],
    owes: ['memory'],
    deep: true,
  },
  {
    name: 'an entity under another id',
    does: `${at('entity')} set n.id = $fresh`,
    finds: [
      ['missing', 'entity'],
      ['orphaned', 'fresh'],
      ['wrong_edge', 'memory'],
    ],
    owes: ['entity', 'memory'],
    deep: true,
  },
  {
    name: 'a memory without an id',
    does: `${at('memory')} remove n.id`,
    finds: [
      ['missing', 'memory'],
      ['orphaned', 'nobody'],
    ],
    owes: ['memory'],
  },
  {
    name: 'a memory whose id is a number',
    does: `${at('memory')} set n.id = $bucket`,
    finds: [
      ['missing', 'memory'],
      ['orphaned', 'nobody'],
    ],
    owes: ['memory'],
  },
  set('a digest', 'n.digestHigh = n.digestHigh + 1'),
  set('a digest that is a word', `n.digestLow = 'x'`),
  set('a revision of the past', 'n.revision = 0'),
  set('a revision beyond every fence', 'n.revision = 9007199254740991'),
  set('a revision that is a word', `n.revision = 'x'`),
  set('a revision that is gone', 'n.revision = null'),
  set('a bucket', 'n.bucket = (n.bucket + 7) % 1024'),
  set('a bucket that is gone', 'n.bucket = null'),
  set('a bucket that there is not', 'n.bucket = 5000'),
  set('a subject', `n.subject = 'user:eve'`, true),
  set('a label too many', 'n:Decision', true),
  set('a label that nobody knows', 'n:Foo', true),
  set('the label of another kind too many', 'n:Entity', true),
  wrong('the label of its kind', `${at('memory')} remove n:Memory`, 'wrong_property', true),
  set('a property', 'n.importance = 9.5', true),
  set('a property of another type', `n.version = '1'`, true),
  set('a property that is a time', 'n.occurredAt = datetime()', true),
  set('a property that is gone', 'n.contentHash = null', true),
  set('a property too many', 'n.by = ["hand"]', true),
  wrong('an edge that is gone', `${mention} delete r`, 'wrong_edge'),
  wrong('an edge there twice', again('MENTIONS', 'a', 'b'), 'duplicate'),
  wrong('an edge the other way round', `${again('MENTIONS', 'b', 'a')} delete r`, 'wrong_edge', true),
  wrong(
    'an edge to another end',
    `match (o:Node {tenant: $tenant, generation: 1, id: $other}) ${again('MENTIONS', 'a', 'o').replace('with a, r, b', 'with a, r, b, o')} delete r`,
    'wrong_edge',
    true,
  ),
  wrong('an edge of another confidence', `${mention} set r.confidence = 0.25`, 'wrong_edge', true),
  wrong('an edge of another namespace', `${mention} set r.namespace = 'user:ada:work'`, 'wrong_edge', true),
  wrong('an edge without a namespace', `${mention} set r.namespace = null`, 'wrong_edge', true),
  wrong('a relation by another name', `${of('RELATES_TO')} set r.type = 'likes'`, 'wrong_edge', true),
  ...EDGES.filter((type) => type !== 'MENTIONS').map((type) =>
    wrong(`an edge that is ${type} instead`, `${again(type, 'a', 'b')} delete r`, 'wrong_edge', true),
  ),
  ...EDGES.map((type) => wrong(`an edge of ${type} too many`, again(type, 'a', 'b', ', s.confidence = 0.125'), 'wrong_edge')),
  { name: 'an edge of a type that nobody knows', does: again('FOO', 'a', 'b'), finds: [['orphaned', 'memory']], owes: [] },
  {
    name: 'an edge that something else asserts',
    does: `${mention} set r.owner = $other`,
    finds: [
      ['wrong_edge', 'memory'],
      ['wrong_edge', 'other'],
    ],
  },
  {
    name: 'an edge that nothing asserts',
    does: `${mention} set r.owner = $fresh`,
    finds: [
      ['wrong_edge', 'memory'],
      ['orphaned', 'fresh'],
    ],
    owes: ['memory'],
  },
  {
    name: 'an edge that nobody asserts',
    does: `${mention} set r.owner = null`,
    finds: [
      ['wrong_edge', 'memory'],
      ['orphaned', 'nobody'],
    ],
    owes: ['memory'],
  },
  {
    name: 'an edge of another tenant',
    does: `${mention} set r.tenant = $fresh`,
    finds: [
      ['wrong_edge', 'memory'],
      ['orphaned', 'memory'],
    ],
    owes: ['memory'],
  },
  {
    name: 'an edge of another generation',
    does: `${mention} set r.generation = 9`,
    finds: [
      ['wrong_edge', 'memory'],
      ['orphaned', 'memory'],
    ],
    owes: ['memory'],
  },
  {
    name: 'an edge with nothing of its own',
    does: `${at('memory')} match (m:Node {tenant: $tenant, generation: 1, id: $other}) create (n)-[:RELATES_TO]->(m)`,
    finds: [['orphaned', 'nobody']],
    owes: [],
  },
  ...['Memory', 'Entity', 'Session', 'Entity:Decision', 'Foo'].map(
    (label): Tampering => ({
      name: `a node that nobody made, a ${label}`,
      does: made(`Node:${label}`, whole),
      finds: [['orphaned', 'fresh']],
      owes: [],
    }),
  ),
  {
    name: 'a node with a name alone',
    does: made('Node:Entity', `id: $fresh, subject: 'user:ada', type: 'person', value: 'Eve'`),
    finds: [['orphaned', 'fresh']],
    owes: [],
  },
  { name: 'a node without anything', does: made('Node:Entity', `value: 'Eve'`), finds: [['orphaned', 'nobody']], owes: [] },
  {
    name: 'a tombstone with content',
    does: made('Node', `id: $fresh, revision: 3, goneAt: datetime(), content: 'x', more: 'y'`),
    finds: [['orphaned', 'fresh']],
    owes: [],
  },
]

/** In Neo4j, by statements of its own. */
export function cypher(): Tamperer {
  const driver = neo4j.driver(server.uri, neo4j.auth.basic(server.username, server.password ?? ''), { disableLosslessIntegers: true })
  return {
    tamperings,
    async run(tenant, { name, does }, victim) {
      const bucket = neo4j.int(Number.parseInt(victim.fresh.slice(-3), 16) & 1023)
      const { summary } = await driver.executeQuery(`cypher 5\n${does}`, { tenant, ...victim, bucket }, { database: server.database })
      if (!summary.counters.containsUpdates()) throw new Error(`${name}: changed nothing`)
    },
    close: () => driver.close(),
  }
}
