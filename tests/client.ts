import { setTimeout as sleep } from 'node:timers/promises'

export interface Answer {
  status: number
  headers: Headers
  json: any
  text: string
}

export type Ask = { headers?: Record<string, string>; signal?: AbortSignal }

export interface Client {
  call(method: string, path: string, body?: unknown, ask?: Ask): Promise<Answer>
  get(path: string, ask?: Ask): Promise<Answer>
  post(path: string, body?: unknown, ask?: Ask): Promise<Answer>
  patch(path: string, body: unknown, ask?: Ask): Promise<Answer>
  del(path: string, ask?: Ask): Promise<Answer>
}

/** Asks the service at `url` with one key, over HTTP, once: a connection that breaks is an error. */
export function client(url: string, key: string): Client {
  const call = async (method: string, path: string, body?: unknown, { headers = {}, signal }: Ask = {}): Promise<Answer> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: text.startsWith('{') ? JSON.parse(text) : null }
  }
  return {
    call,
    get: (path, ask) => call('GET', path, undefined, ask),
    post: (path, body = {}, ask) => call('POST', path, body, ask),
    patch: (path, body, ask) => call('PATCH', path, body, ask),
    del: (path, ask) => call('DELETE', path, undefined, ask),
  }
}

/** Every item of a list, page by page. */
export async function all(asks: Client, path: string): Promise<any[]> {
  const items: any[] = []
  let cursor: string | null = null
  do {
    const answer = await asks.get(
      `${path}${path.includes('?') ? '&' : '?'}limit=500${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    if (answer.status !== 200) throw new Error(`${path}: ${answer.text}`)
    items.push(...answer.json.items)
    cursor = answer.json.nextCursor
  } while (cursor !== null)
  return items
}

/** Asks again until what is asked for has come, for `withinMs` at most; answers what came last. */
export async function eventually<T>(look: () => Promise<T>, come: (seen: T) => boolean, withinMs = 60_000): Promise<T> {
  for (const end = performance.now() + withinMs; ; await sleep(50)) {
    const seen = await look()
    if (come(seen) || performance.now() > end) return seen
  }
}

/** The status once nothing is owed any more, neither to the graph nor by a model. */
export const caughtUp = (asks: Client): Promise<any> =>
  eventually(
    async () => (await asks.get('/api/persistence/status')).json,
    ({ metrics }) => metrics.owedGraphWrites + metrics.owedEmbeddings + metrics.owedEntities === 0,
  )
