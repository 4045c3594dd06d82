import { randomUUID } from 'node:crypto'
import { raw, sql } from '@twofold/core/sql.ts'
import { type Endpoint, sender } from '@twofold/postgres/endpoint.ts'
import { DIMENSIONS } from '../vectors.ts'

/** The least that anybody could do: a table, an index by id, one by namespace and one of vectors, and no service before it. */
export interface Floor {
  insert(namespace: string, content: string, vector: readonly number[]): Promise<string>
  get(id: string): Promise<unknown>
  /** The contents of the ten nearest within a namespace. */
  search(namespace: string, vector: readonly number[]): Promise<string[]>
  /** Adds many and makes the index anew, which is quicker than adding to it. */
  fill(rows: readonly { namespace: string; content: string; vector: readonly number[] }[]): Promise<void>
}

const INDEX = raw(`create index bench_floor_by_vector on bench_floor.memories
  using hnsw ((embedding::halfvec(${DIMENSIONS})) halfvec_cosine_ops) with (m = 16, ef_construction = 64)`)

/** The same driver, the same endpoint and the same store as the service's: each call is one request and one transaction. */
export async function openFloor(database: Endpoint): Promise<Floor> {
  const send = sender(database)
  const never = new AbortController().signal
  const run = async (...statements: Parameters<typeof send>[0]) => (await send(statements, never)).at(-1) as Record<string, unknown>[]
  await run(
    raw('create schema if not exists bench_floor'),
    raw(`create table if not exists bench_floor.memories (
      id uuid primary key, namespace text not null, content text not null, embedding vector(${DIMENSIONS}) not null)`),
    raw('create index if not exists bench_floor_by_namespace on bench_floor.memories (namespace)'),
  )
  return {
    async insert(namespace, content, vector) {
      const id = randomUUID()
      await run(sql`insert into bench_floor.memories values (${id}::uuid, ${namespace}, ${content}, ${text(vector)}::vector)`)
      return id
    },
    get: (id) => run(sql`select id, namespace, content from bench_floor.memories where id = ${id}::uuid`),
    async search(namespace, vector) {
      const distance = raw(`embedding::halfvec(${DIMENSIONS}) <=>`)
      const rows = await run(sql`select id, namespace, content from bench_floor.memories where namespace = ${namespace}
        order by ${distance} ${text(vector)}::halfvec(${raw(String(DIMENSIONS))}) limit 10`)
      return rows.map(({ content }) => content as string)
    },
    async fill(rows) {
      await run(raw('drop index if exists bench_floor.bench_floor_by_vector'))
      for (let i = 0; i < rows.length; i += 500) {
        const part = rows.slice(i, i + 500).map(({ namespace, content, vector }) => ({ namespace, content, embedding: text(vector) }))
        await run(sql`insert into bench_floor.memories select gen_random_uuid(), namespace, content, embedding::vector
          from jsonb_to_recordset(${JSON.stringify(part)}::jsonb) as w (namespace text, content text, embedding text)`)
      }
      await run(INDEX)
      await run(raw('analyze bench_floor.memories'))
    },
  }
}

const text = (vector: readonly number[]): string => `[${vector.join(',')}]`
