import * as z from 'zod-own'
import type { Caller } from './caller.ts'
import { type Observation, once, serve } from './http.ts'
import { answer, type Declare, operation as declare } from './operation.ts'
import { cursor, cursorAt, limit, Page } from './page.ts'
import { Refusal } from './refusal.ts'

/** What the toy operations stand on: they tell the test what reached them. */
export interface Desk {
  seen: { input: unknown; caller: Caller }[]
  fail: Error | null
  wait: Promise<void> | null
}

const operation: Declare<Desk> = declare

const Note = z.object({ id: z.string(), content: z.string(), version: z.int() }).meta({ id: 'Note' })
const Filter: z.ZodType = z
  .strictObject({
    get AND() {
      return z.array(Filter).optional()
    },
    word: z.string().optional(),
  })
  .meta({ id: 'Filter' })
const Draft = z
  .strictObject({
    content: z.string().min(1).max(2_000_000),
    count: z.int().default(1),
    tags: z.array(z.string()).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    about: z.union([z.strictObject({ name: z.string() }), z.strictObject({ id: z.int() })]).optional(),
  })
  .meta({ id: 'Draft' })
const Id = z.string().regex(/^[\w %?é-]+$/, 'must be words')

const reach = async (desk: Desk, input: unknown, caller: Caller) => {
  desk.seen.push({ input, caller })
  if (desk.wait) await caller.timings.measure('db', () => desk.wait as Promise<void>)
  if (desk.fail) throw desk.fail
}

export const add = operation({
  name: 'notes.add',
  mcp: 'add_note',
  method: 'post',
  path: '/v1/notes',
  scope: 'memories:write',
  summary: 'Keep a note.',
  input: Draft,
  output: z.object({ note: Note }),
  status: 201,
  etag: ({ note }) => note.version,
  example: { content: 'Prefers tea.' },
  deadlineMs: 2000,
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    return answer({ note: { id: 'n', content: input.content, version: 1 } }, { replayed: caller.idempotency?.key === 'again' })
  },
})

export const get = operation({
  name: 'notes.get',
  mcp: 'get_note',
  method: 'get',
  path: '/v1/notes/{id}',
  scope: 'memories:read',
  summary: 'One note.',
  input: z.strictObject({ id: Id, version: z.int().min(1).nullable().optional(), deep: z.boolean().default(false) }),
  output: z.object({ note: Note }),
  etag: ({ note }) => note.version,
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    return { note: { id: input.id, content: 'x', version: input.version ?? 7, secret: 'not in the schema' } }
  },
})

export const list = operation({
  name: 'notes.list',
  mcp: 'list_notes',
  method: 'get',
  path: '/v1/notes',
  scope: 'memories:read',
  summary: 'Notes in their order.',
  input: z.strictObject({ tag: z.array(z.string()).optional(), at: z.array(z.int()).optional(), limit, cursor: cursor(z.int().min(0)) }),
  output: Page(z.int()),
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    const start = input.cursor ?? 0
    const items = Array.from({ length: Math.min(input.limit, 120 - start) }, (_, i) => start + i)
    return { items, nextCursor: cursorAt(start + items.length < 120 ? start + items.length : null) }
  },
})

export const update = operation({
  name: 'notes.update',
  mcp: 'update_note',
  method: 'patch',
  path: '/v1/notes/{id}',
  scope: 'memories:write',
  summary: 'Change a note.',
  input: z.strictObject({ id: Id, dryRun: z.boolean().optional(), content: z.string() }),
  output: z.object({ note: Note }),
  query: ['dryRun'],
  ifMatch: true,
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    return { note: { id: input.id, content: input.content, version: (caller.ifMatch ?? 0) + 1 } }
  },
})

export const remove = operation({
  name: 'notes.delete',
  mcp: 'delete_note',
  method: 'delete',
  path: '/v1/notes/{id}',
  scope: 'memories:write',
  summary: 'Delete a note.',
  input: z.strictObject({ id: Id, hard: z.boolean().default(false), cascadeGraph: z.boolean().default(true) }),
  output: z.object({ deleted: z.boolean(), hard: z.boolean() }),
  ifMatch: true,
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    return { deleted: true, hard: input.hard }
  },
})

export const search = operation({
  name: 'notes.search',
  mcp: 'search_notes',
  method: 'post',
  path: '/v1/notes/search',
  scope: 'memories:read',
  summary: 'Find notes.',
  input: z.strictObject({ query: z.string().optional(), filter: Filter.optional() }),
  output: z.object({ results: z.array(Note) }),
  write: false,
  maxBytes: 1000,
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    return { results: [] }
  },
})

export const ready = operation({
  name: 'health.ready',
  method: 'get',
  path: '/v1/health/ready',
  scope: null,
  summary: 'Whether it can answer.',
  input: z.strictObject({}),
  output: z.object({ ready: z.boolean() }),
  deadlineMs: 50,
  handle: async (desk, input, caller) => {
    await reach(desk, input, caller)
    return { ready: 'yes' as unknown as boolean }
  },
})

export const docs = operation({
  name: 'system.docs',
  method: 'get',
  path: '/docs',
  scope: null,
  public: true,
  summary: 'For people.',
  input: z.strictObject({}),
  output: z.string(),
  mediaType: 'text/html; charset=utf-8',
  handle: (_, __, caller) => `<p>${caller.keyHash.length}</p>`,
})

export const tenants = operation({
  name: 'tenants.list',
  method: 'get',
  path: '/v1/tenants',
  scope: 'operator',
  summary: 'Every tenant.',
  input: z.strictObject({}),
  output: z.object({ items: z.array(z.string()) }),
  handle: () => ({ items: [] }),
})

export const notes = [get, add, list, update, remove, search, ready, docs, tenants]

/** The notes served, with all that is seen, logged and observed. */
export function desk(options: { operatorKeyHash?: Buffer } = {}) {
  const here: Desk = { seen: [], fail: null, wait: null }
  const logged: Record<string, unknown>[] = []
  const observed: Observation[] = []
  const log = (event: string, fields?: Record<string, unknown>) => void logged.push({ event, ...fields })
  const around = {
    deps: once(() => here),
    asRefusal: (error: unknown) => (error instanceof RangeError ? new Refusal('unavailable', 'Out.', { retryAfterMs: 2500 }) : null),
    log: { info: log, warn: log, error: log },
    observe: (observation: Observation) => void observed.push(observation),
    ...options,
  }
  return { here, logged, observed, around, app: serve(notes, around) }
}

export const KEY = { authorization: 'Bearer tf_test' }
export const JSON_KEY = { ...KEY, 'content-type': 'application/json' }
