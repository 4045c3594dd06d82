import { byTurns, type Latency, latency } from '../measure.ts'
import { type Ask, remember } from './ask.ts'

const ROUNDS = 200
const IN_A_CALL = 500

/** The same request of something small and of something large, by turns. */
export interface Grown {
  what: string
  small: string
  large: string
  took: Record<'small' | 'large', Latency>
}

/** How much slower what is kept gets with how much of it there is. `memories` are in the large namespace by the end. */
export async function growth(
  ask: Ask,
  { events, versions, memories }: Record<'events' | 'versions' | 'memories', number>,
): Promise<Grown[]> {
  const [short, long] = [await session(ask, 10), await session(ask, events)]
  const [young, old] = [await versioned(ask, 'young', 10), await versioned(ask, 'old', versions)]
  await remember(ask, 'user:few:notes', 0, 100)
  await remember(ask, 'user:many:notes', 0, memories)
  const event = { type: 'tool', name: 'search' }
  const grown: Grown[] = []
  const compare = async (what: string, small: string, large: string, asks: Record<'small' | 'large', () => Promise<unknown>>) => {
    const took = await byTurns(asks, { rounds: ROUNDS, warm: 20 })
    grown.push({ what, small, large, took: { small: latency(took.small), large: latency(took.large) } })
  }
  const of = (n: number, what: string) => `${n.toLocaleString('en')} ${what}`
  const sessions = async (what: string, request: (id: string, last: number) => Promise<unknown>) =>
    compare(what, of(10, 'events'), of(events, 'events'), { small: () => request(short, 10), large: () => request(long, events) })
  await sessions('append an event', (id) => ask('POST', `/v1/sessions/${id}/events`, { event }))
  await sessions('read a session', (id) => ask('GET', `/v1/sessions/${id}`))
  await sessions('its first ten events', (id) => ask('GET', `/v1/sessions/${id}/events?limit=10`))
  await sessions('its last ten events', (id, last) => ask('GET', `/v1/sessions/${id}/events?limit=10&after=${last - 10}`))
  await compare('ten versions of a key', of(10, 'versions'), of(versions, 'versions'), {
    small: () => ask('GET', `${young}/history?limit=10`),
    large: () => ask('GET', `${old}/history?limit=10`),
  })
  await compare('a key', of(10, 'versions'), of(versions, 'versions'), { small: () => ask('GET', young), large: () => ask('GET', old) })
  await compare('a hundred memories of a prefix', of(100, 'memories'), of(memories, 'memories'), {
    small: () => ask('GET', '/v1/memories?namespacePrefix=user:few&limit=100'),
    large: () => ask('GET', '/v1/memories?namespacePrefix=user:many&limit=100'),
  })
  return grown
}

async function session(ask: Ask, events: number): Promise<string> {
  const { id } = (await ask('POST', '/v1/sessions', { appName: 'bench', userId: 'alice' })).session
  for (let n = 0; n < events; n += IN_A_CALL) {
    const some = Array.from({ length: Math.min(IN_A_CALL, events - n) }, (_, i) => ({ n: n + i, type: 'tool', name: 'search' }))
    await ask('POST', `/v1/sessions/${id}/events`, { events: some })
  }
  return id
}

/** A value that changed so often, as its path. */
export async function versioned(ask: Ask, key: string, versions: number): Promise<string> {
  const path = `/v1/namespaces/user:alice:settings/keys/${key}`
  for (let n = 1; n <= versions; n++) await ask('PUT', path, { value: { step: n } })
  return path
}
