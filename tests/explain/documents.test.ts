import { goOn } from '@twofold/core/documents/go-on.ts'
import { type Listing, listDocuments } from '@twofold/core/documents/list.ts'
import { putDocument } from '@twofold/core/documents/put.ts'
import { type Reading, readDocument } from '@twofold/core/documents/read.ts'
import { removeDocument } from '@twofold/core/documents/remove.ts'
import { syncDocuments, syncDue, tenantsWithDocuments } from '@twofold/core/documents/sync.ts'
import type { Database, Deps } from '@twofold/core/ports.ts'
import { raw, sql } from '@twofold/core/sql.ts'
import { asOwner } from '@twofold/postgres/owner.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { MigratedDatabase } from '../database.ts'
import { DIMENSIONS, keyOf, MODEL, TENANT } from './fill.ts'
import { waysWithin, wide } from './plan.ts'
import { caller, FILLING_MS, type Filled, GRANTS, type Grant, onFilled } from './world.ts'

/** 100,000 documents of a chunk each, on the Postgres server that TEST_DATABASE_URL names; else 5,000. */
const SIZE = process.env.TEST_DATABASE_URL ? 100_000 : 5_000

let deps: Deps
let inner: Database
let during: Filled['during']
let close: Filled['close']
beforeAll(async () => {
  ;({ deps, inner, during, close } = await onFilled(fill))
}, FILLING_MS)
afterAll(() => close())

const idOf = (i: number, sort = '7') => `00000000-0000-${sort}000-8000-${i.toString(16).padStart(12, '0')}`
const id = (sort: string) => `('00000000-0000-${sort}000-8000-' || lpad(to_hex(i), 12, '0'))::uuid`

const fill = (database: MigratedDatabase) =>
  asOwner(database.owner)([
    raw(`select set_config('search_path', 'twofold, public', true), set_config('session_replication_role', 'replica', true)`),
    sql`insert into tenants (uuid, name, created_at) values (${TENANT}::uuid, 'asking', now())`,
    raw(`insert into tenants (uuid, name, created_at) select gen_random_uuid(), 'other ' || i, now() from generate_series(1, 20) i`),
    sql`insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
      select t.id, gen_random_uuid(), 'key', k.hash, '{admin}', array[k.grants], now()
      from tenants t, unnest(${GRANTS}::text[], ${GRANTS.map(keyOf)}::bytea[]) k (grants, hash) where t.uuid = ${TENANT}::uuid`,
    raw(`insert into documents (tenant_id, id, namespace, file_path, path_hash, title, document_type, metadata, content, bytes, content_hash, chunk_count, to_place,
        sync_status, due_at, embedding_model, created_by, updated_by, created_at, updated_at, removed_at)
      select t.id, ${id('7')}, 'user:u' || i % 1000, 'file ' || i, encode(sha256(('file ' || i)::bytea), 'hex'), 'Title', case when i % 3 = 0 then 'text' when i % 100 = 1 then 'html' else 'markdown' end,
        '{}', 'Text ' || i, 9, encode(sha256(('Text ' || i)::bytea), 'hex'), 1, 0, case i % 500 when 1 then 'pending' when 2 then 'failed' else 'synced' end,
        case when i % 500 in (1, 4) then at end, case when i % 500 = 3 then 'another' else '${MODEL}' end, 'maker', 'maker', at, at, case when i % 500 = 4 then at end
      from tenants t, generate_series(1, ${SIZE}) i cross join lateral (select '2026-01-01'::timestamptz + i * interval '10 s') a (at) where t.uuid = '${TENANT}'`),
    raw(`insert into memories (tenant_id, id, row, namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at,
        version, created_by, updated_by, created_at, updated_at, owes_embedding)
      overriding system value
      select d.tenant_id, ${id('8')}, i, d.namespace, 'semantic', 'document', 'Title', 5, '{"document": {"headings": []}}', '{}', '[]', '[]', d.created_at, 1, 'maker', 'maker', d.created_at, d.created_at, i % 500 = 1
      from generate_series(1, ${SIZE}) i join documents d on d.id = ${id('7')}`),
    raw(`select setval(pg_get_serial_sequence('memories', 'row'), max(row)) from memories`),
    raw(`insert into memory_versions (tenant_id, memory_id, version, namespace, action, actor, at, memory, terms, counts, tokenizer)
      select m.tenant_id, m.id, 1, m.namespace, 'documents.put', 'maker', m.created_at, memory_json(m), array[m.row::int], '{1}', 1 from memories m`),
    raw(
      `insert into postings (tenant_id, term, subject, row, count, length) select m.tenant_id, m.row::int, subject_number(m.subject), m.row, 1, 1 from memories m`,
    ),
    // Not live, so that the index of distances is not built row by row.
    raw(`insert into embeddings (tenant_id, memory_id, row, model, subject, namespace, type, kind, live, version, embedding)
      select m.tenant_id, m.id, m.row, '${MODEL}', m.subject, m.namespace, m.type, m.kind, false, 1, v.v
      from memories m, (select array_fill(0.5, array[${DIMENSIONS}])::vector as v) v where not m.owes_embedding`),
    raw(`insert into document_chunks (tenant_id, memory_id, document_id, position, hash, label)
      select d.tenant_id, ${id('8')}, d.id, case when d.removed_at is null then 0 end, i::text, '' from generate_series(1, ${SIZE}) i join documents d on d.id = ${id('7')}`),
    raw(`insert into entities (tenant_id, id, subject, type, normalized, value, created_at)
      select m.tenant_id, m.id, m.subject, 'person', 'name_' || m.row, 'Name ' || m.row, m.created_at from memories m`),
    raw(
      `insert into memory_entities (tenant_id, memory_id, entity_id, namespace, confidence) select m.tenant_id, m.id, m.id, m.namespace, 0.9 from memories m`,
    ),
    raw(`insert into relations (tenant_id, memory_id, from_id, type, to_id, namespace, confidence)
      select m.tenant_id, m.id, m.id, 'knows', o.id, m.namespace, 0.9 from memories m join memories o on o.tenant_id = m.tenant_id and o.row = m.row - 1000`),
    raw(`insert into ledger (tenant_id, id, kind, subject, bucket, revision, shown, owed_since)
      select tenant_id, id, 'memory', subject, bucket_of(id), 1, 1, now() from memories`),
    raw('analyze'),
  ])

const listed = (listing: Partial<Listing>, grant?: Grant) => listDocuments(deps, caller(grant), { limit: 50, after: null, ...listing })
const read = (reading: Partial<Reading> = {}) => readDocument(deps, caller(), idOf(7), { content: false, chunks: null, ...reading })
const put = (filePath: string, content: string) => putDocument(deps, caller(), { namespace: 'user:u9', filePath, title: 'Title', content })
const time = () => ({ until: new Date('2026-03-01T12:00:10Z'), signal: AbortSignal.timeout(30_000) })

const PATH = 'documents_by_path (tenant_id, namespace, path_hash)'
const CHUNKS = 'document_chunks_by_position (tenant_id, document_id)'
const STATUS = 'documents_by_status (tenant_id, sync_status)'

test.each<[string, () => Promise<unknown>, (string | RegExp)[], string[]?]>([
  ['a document', () => read(), ['documents_pkey (tenant_id, id)']],
  [
    'a page of its chunks',
    () => read({ chunks: { limit: 50, after: -1 } }),
    ['documents_pkey (tenant_id, id)', 'document_chunks_by_position (tenant_id, document_id, position)', 'memories_pkey (tenant_id, id)'],
  ],
  ['documents by path', () => listed({ namespace: 'user:u7', filePath: 'file 7' }), [PATH]],
  ['documents by status', () => listed({ syncStatus: 'failed' }), [STATUS]],
  [
    'the next page of them',
    () => listed({ syncStatus: 'failed', after: idOf(SIZE / 2) }),
    [/^documents_by_status \(tenant_id, sync_status(, id)?\)$/],
  ],
  // Nearly all of them are: in the order of the ids, until the page is full.
  ['documents that are synced', () => listed({ syncStatus: 'synced' }), [], ['documents_pkey (tenant_id)']],
  ['documents that are stale', () => listed({ syncStatus: 'stale' }), ['documents_by_status (tenant_id, sync_status, embedding_model)']],
  ['documents by type', () => listed({ documentType: 'html' }), ['documents_by_type (tenant_id, document_type)']],
  ['the next page of them', () => listed({ documentType: 'html', after: idOf(7) }), ['documents_by_type (tenant_id, document_type, id)']],
  ['documents by hash', () => listed({ contentHash: 'a'.repeat(64) }), ['documents_by_hash (tenant_id, content_hash)']],
  ['documents by update', () => listed({ updatedSince: '2026-02-28T00:00:00Z' }), ['documents_by_update (tenant_id, updated_at)']],
  ['documents of a prefix', () => listed({ namespacePrefix: 'user:u7' }), ['documents_by_path (tenant_id, namespace)']],
  ['all that a narrow key may see', () => listed({}, 'user:u7'), ['documents_by_path (tenant_id, namespace)']],
  ['the next page of everything', () => listed({ after: idOf(7) }), ['documents_pkey (tenant_id, id)']],
  // In the order of the ids, until the page is full.
  ['everything', () => listed({}), [], ['documents_pkey (tenant_id)']],
  ['a put that changes nothing', () => put('file 9', 'Text 9'), [PATH, CHUNKS]],
  [
    'a put that changes a chunk',
    () => put('file 9', 'Another text.'),
    [
      PATH,
      CHUNKS,
      'documents_pkey (tenant_id, id)',
      'document_chunks_pkey (tenant_id, memory_id)',
      'postings_pkey (tenant_id, term, subject, row)',
    ],
  ],
  ['a put of a new one', () => put('file x', 'A new text.'), [PATH, CHUNKS]],
  ['a removal', () => removeDocument(deps, caller(), idOf(8)), ['documents_pkey (tenant_id, id)', CHUNKS, 'memories_pkey (tenant_id, id)']],
  [
    'what is left of one that was removed',
    () => goOn(deps, TENANT, idOf(8), time()),
    [CHUNKS, 'memory_versions_pkey (tenant_id, memory_id)', 'memories_pkey (tenant_id, id)'],
  ],
  ['vectors that are missing', () => goOn(deps, TENANT, idOf(501), time()), [CHUNKS, 'embeddings_pkey (tenant_id, memory_id, model)']],
  [
    'documents to go on with',
    () => syncDue(deps, TENANT, { ...time(), until: new Date(0) }),
    ['documents_due (tenant_id, due_at)', 'documents_by_status (tenant_id, sync_status, embedding_model)'],
  ],
  [
    'the progress of a prefix',
    () => syncDocuments(deps, caller(), { namespacePrefix: 'user:u9', after: null }),
    ['documents_by_path (tenant_id, namespace)'],
  ],
])('%s goes by the indexes meant for it', async (_, work, ways, allowed = []) => {
  const seen = await during(work)
  for (const way of ways) expect([...seen]).toContainEqual(typeof way === 'string' ? way : expect.stringMatching(way))
  expect(wide(seen).filter((way) => !allowed.includes(way))).toEqual([])
})

test('tenants with documents to go on with are found by their indexes', async () => {
  const call = tenantsWithDocuments(MODEL, new Date('2026-03-01T12:00:00Z'), 50)
  const found = await waysWithin((statements) => inner.across(statements), call, 'twofold.documents')
  expect(found).toEqual(['documents_by_status', 'documents_due'])
})
