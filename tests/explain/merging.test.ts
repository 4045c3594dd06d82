import { ConsolidateInput, consolidate } from '@twofold/core/consolidation/consolidate.ts'
import { consolidateDue } from '@twofold/core/consolidation/schedule.ts'
import { project } from '@twofold/core/graph/project.ts'
import { forget } from '@twofold/core/memories/forget.ts'
import { fromMessages } from '@twofold/core/messages/from-messages.ts'
import { MessagesInput } from '@twofold/core/messages/message.ts'
import type { LanguageModel } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { indexOf } from '@twofold/postgres/ensure-model.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MODEL, TENANT } from './fill.ts'
import { wide } from './plan.ts'
import { FILLING_MS, type World, world } from './world.ts'

let w: World
beforeAll(async () => {
  w = await world()
  await w.inner.asTenant(TENANT, [
    sql`insert into heard (tenant_id, namespace, hash, n)
      select current_tenant(), 'user:u' || i % 100, sha256(i::text::bytea), 0 from generate_series(1, 5000) i`,
    sql`insert into consolidations (tenant_id, namespace, strategy, every_hours, due_at, updated_by, updated_at)
      select current_tenant(), 'user:u' || i, 'exact', 24, '2026-03-02'::timestamptz + i * interval '1 minute', 'maker', '2026-03-01' from generate_series(1, 5000) i`,
  ])
}, FILLING_MS)
afterAll(() => w.close())

/** A model that finds nothing, asked about what is nearest. */
const language: LanguageModel = { model: 'none', judge: async () => [], infer: async () => [] }

const merged = (given: object) =>
  consolidate({ ...w.deps, language }, w.caller(), ConsolidateInput.parse({ namespace: 'user:u7:notes', dryRun: true, ...given }))
const heard = (given: object) =>
  fromMessages(
    { ...w.deps, language },
    w.caller(),
    MessagesInput.parse({ namespace: 'user:u7', messages: [{ role: 'user', content: 'some words' }], ...given }),
  )

const NAMESPACE = /^memories_\w+ \(tenant_id, namespace(, id)?\)$/
const VERSION = 'memory_versions_pkey (tenant_id, memory_id, version)'
const SUBJECT = 'embeddings_by_subject (tenant_id, model, subject)'
const HNSW = `${indexOf(MODEL)} ()`
/** Vectors are found by either, whichever is quicker. */
const NEAR = new RegExp(`^(${SUBJECT.replace(/[()]/g, '\\$&')}|${HNSW.replace(/[()]/g, '\\$&')})$`)

test.each<[string, () => Promise<unknown>, (string | RegExp)[], string[]?]>([
  ['merging the same words of a small namespace', () => merged({ strategy: 'exact' }), [NAMESPACE, VERSION]],
  [
    'merging by meaning in a small namespace',
    () => merged({ strategy: 'similar' }),
    [NAMESPACE, NEAR, 'relations_by_from (tenant_id, from_id)'],
  ],
  // A third of all vectors lies there: as many as are counted are found soon, in whichever order they lie.
  [
    'merging by meaning in a large namespace',
    () => merged({ namespace: 'user:large', strategy: 'similar' }),
    [NAMESPACE, NEAR],
    [HNSW, 'all of embeddings'],
  ],
  ['what a model is shown of a small namespace', () => merged({ strategy: 'model' }), [NAMESPACE, NEAR]],
  ['messages', () => heard({ infer: false }), ['heard_pkey (tenant_id, namespace, hash)']],
  // What is new is read by its ids, and where nothing is, any index will do.
  [
    'messages beside what is known',
    () => heard({ messages: [{ role: 'user', content: 'other words' }] }),
    [NEAR],
    [HNSW, 'memories_by_superseder (tenant_id)'],
  ],
  [
    'what a memory superseded',
    () => show(),
    ['memories_by_superseder (tenant_id, superseded_by)'],
    ['all of documents', 'all of document_chunks'],
  ],
  ['namespaces that are due', () => due(), ['consolidations_due (tenant_id, due_at)']],
])('%s', async (_, work, ways, allowed = []) => {
  const seen = [...(await w.during(work))]
  for (const way of ways) expect(seen).toContainEqual(typeof way === 'string' ? way : expect.stringMatching(way))
  expect(wide(new Set(seen)).filter((way) => !allowed.includes(way))).toEqual([])
})

/** Owed anew by its deletion. */
async function show(): Promise<void> {
  await forget(w.deps, w.caller(), w.memory.id, { hard: false, cascadeGraph: true })
  await project(w.deps, TENANT, [w.memory.id])
}

const due = () => consolidateDue(w.deps, TENANT, 5, AbortSignal.timeout(10_000))
