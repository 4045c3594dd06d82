import { timed } from '../measure.ts'
import type { Ask } from './ask.ts'

/** Events that each session appends, one after the other. */
const EVENTS = 10
/** Asked at a time while sessions are started and read, which is not measured. */
const AT_A_TIME = 50

export interface Crowd {
  sessions: number
  /** Milliseconds from the first append to the last answer, over the events. */
  msPerEvent: number
  /** Events that were answered and are not there. */
  lost: number
  /** Sessions whose events do not lie as they were answered. */
  disordered: number
}

/** So many sessions at once, each appending one event after the other; then every one of them read. */
export async function crowd(ask: Ask, sessions: number, name: string): Promise<Crowd> {
  const ids = Array.from({ length: sessions }, (_, i) => `${name}-${i}`)
  await some(ids, (id, i) => ask('POST', '/v1/sessions', { id, appName: 'bench', userId: `crowd-${i % 100}` }))
  const append = async (id: string) => {
    for (let n = 1; n <= EVENTS; n++) await ask('POST', `/v1/sessions/${id}/events`, { event: { n, type: 'tool', name: 'search' } })
  }
  const { ms } = await timed(() => Promise.all(ids.map(append)))
  let [lost, disordered] = [0, 0]
  await some(ids, async (id) => {
    const { items } = await ask('GET', `/v1/sessions/${id}/events`)
    lost += EVENTS - items.length
    if (!items.every((item: any, i: number) => item.seq === i + 1 && item.event.n === i + 1)) disordered++
  })
  return { sessions, msPerEvent: ms / (sessions * EVENTS), lost, disordered }
}

async function some(ids: readonly string[], work: (id: string, i: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < ids.length; from += AT_A_TIME) {
    await Promise.all(ids.slice(from, from + AT_A_TIME).map((id, i) => work(id, from + i)))
  }
}
