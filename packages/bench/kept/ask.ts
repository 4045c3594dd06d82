import type { Running } from '../launch.ts'

export type Ask = (method: string, path: string, body?: object) => Promise<any>

/** Asks for JSON over HTTP, connections kept alive. Throws for anything but a success. */
export const asking =
  ({ url, key }: Pick<Running, 'url' | 'key'>): Ask =>
  async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text.slice(0, 300)}`)
    return JSON.parse(text)
  }

const IN_A_BATCH = 500

/** So many memories in a namespace, with words alone: nothing here is searched by meaning. */
export async function remember(ask: Ask, namespace: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += IN_A_BATCH) {
    const items = Array.from({ length: Math.min(IN_A_BATCH, to - i) }, (_, n) => ({ ...item(i + n), namespace }))
    const answer = await ask('POST', '/v1/memories/batch', { items })
    const failed = answer.items.find((item: { ok: boolean }) => !item.ok)
    if (failed) throw new Error(`a memory was not stored: ${JSON.stringify(failed)}`)
  }
}

/** A vector is given, so that no model is waited for; with all the same one the index would be nothing but neighbours. */
const item = (n: number) => ({
  content: `Fact ${n}: part ${n % 977} is kept in hall ${n % 89}.`,
  embedding: Array.from({ length: DIMENSIONS }, (_, d) => Math.sin((n + 1) * (d + 1))),
  extractEntities: false,
})

/** Of the model that comes with it. */
const DIMENSIONS = 384
