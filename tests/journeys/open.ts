import { randomBytes } from 'node:crypto'
import { type Client, client } from '../client.ts'
import { KEY, makeHome, start } from '../process.ts'
import { openParts } from '../real/parts.ts'

export interface Service {
  url: string
  key: string
  asks: Client
  /** A name that nobody else uses there: where the service is deployed, this journey is not the first. */
  own(name: string): string
  close(): Promise<void>
}

/**
 * The service that a journey goes through: the one that SMOKE_URL and SMOKE_KEY name, else one started here as people start
 * it, on real servers for all of it where the tests are given some.
 */
export async function openService(): Promise<Service> {
  const { SMOKE_URL, SMOKE_KEY, TEST_SQS_URL } = process.env
  if (SMOKE_URL && SMOKE_KEY) return deployed(SMOKE_URL.replace(/\/$/, ''), SMOKE_KEY)
  const parts = TEST_SQS_URL ? await openParts() : null
  const home = parts ? { path: await parts.home(), remove: parts.close } : await makeHome()
  const service = await start(home.path, { ...parts?.postgres, ...parts?.redis, ...parts?.neo4j, ...parts?.queue })
  return {
    url: service.url,
    key: KEY,
    asks: client(service.url, KEY),
    own: (name) => name,
    async close() {
      await service.end('SIGTERM')
      await home.remove()
    },
  }
}

/** Takes away at the end what was stored under its names. Entities and edges that were made by hand stay: there is no route that takes those. */
function deployed(url: string, key: string): Service {
  const asks = client(url, key)
  const run = randomBytes(4).toString('hex')
  const names = new Set<string>()
  return {
    url,
    key,
    asks,
    own(name) {
      names.add(`${run}-${name}`)
      return `${run}-${name}`
    },
    async close() {
      for (const name of names) {
        for (const namespace of [`user:${name}`, `project:${name}`]) await forget(asks, namespace)
        await asks.del(`/v1/sessions/${name}`)
      }
      const { items } = (await asks.get('/v1/keys?limit=500')).json
      for (const { id, name } of items) if (names.has(name)) await asks.del(`/v1/keys/${id}`)
    },
  }
}

async function forget(asks: Client, namespacePrefix: string): Promise<void> {
  for (;;) {
    const { status, json, text } = await asks.post('/v1/memories/delete', { namespacePrefix, hard: true })
    if (status !== 200) throw new Error(`${namespacePrefix} was not taken away: ${text}`)
    if (json.done) return
  }
}
