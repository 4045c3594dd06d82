import { byTurns, type Latency, latency } from '../measure.ts'
import { type Ask, remember } from './ask.ts'
import { versioned } from './growth.ts'

const ROUNDS = 500

/** What half of the requests, and 99 of a hundred, may take at most, in milliseconds. */
export interface Aim {
  what: string
  most: number
  /** Null: nothing is asked of it. */
  most99: number | null
  took: Latency
}

/** What is asked of 99 of a hundred requests of each kind. */
export const MOST_99 = { session: 20, memory: 50 }
/** Reads of sessions at once, and what all of them may take together. */
export const READS = 50

/** The requests that agents make most, one after another, and fifty reads at once. */
export async function mission(ask: Ask): Promise<Aim[]> {
  const key = await versioned(ask, 'theme', 10)
  await remember(ask, 'user:hundred:notes', 0, 100)
  const { id } = (await ask('POST', '/v1/sessions', { appName: 'bench', userId: 'bob', state: { 'session:step': 0 } })).session
  const asks = {
    create: (i: number) => ask('POST', '/v1/sessions', { appName: 'bench', userId: `bob-${i}`, state: { 'session:step': 1 } }),
    append: (i: number) => ask('POST', `/v1/sessions/${id}/events`, { event: { n: i, type: 'tool' }, stateDelta: { 'session:step': i } }),
    read: () => ask('GET', `/v1/sessions/${id}/state/session:step`),
    write: (i: number) => ask('PUT', `/v1/sessions/${id}/state/session:step`, { value: i }),
    current: () => ask('GET', key),
    prefix: () => ask('GET', '/v1/memories?namespacePrefix=user:hundred&limit=100'),
    versions: () => ask('GET', `${key}/history?limit=10`),
  }
  const took = await byTurns(asks, { rounds: ROUNDS, warm: 50 })
  const fifty = await byTurns(
    { reads: () => Promise.all(Array.from({ length: READS }, () => ask('GET', `/v1/sessions/${id}`))) },
    { rounds: 50, warm: 5 },
  )
  const aim = (what: string, kind: keyof typeof MOST_99 | null, most: number, samples: readonly number[]): Aim => ({
    ...{ what, most, most99: kind && MOST_99[kind], took: latency(samples) },
  })
  return [
    aim('create a session', 'session', 10, took.create),
    aim('append an event with a state delta', 'session', 20, took.append),
    aim('read a state key', 'session', 10, took.read),
    aim('write a state key', 'session', 10, took.write),
    aim('the current memory of a key', 'memory', 20, took.current),
    aim('a prefix of 100 memories', 'memory', 50, took.prefix),
    aim('ten versions of a key', 'memory', 30, took.versions),
    aim(`${READS} reads of a session at once, all of them`, null, 1000, fifty.reads),
  ]
}
