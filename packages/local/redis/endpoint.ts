import type { Endpoint, WireAnswer } from '../http/listen.ts'
import { sameSecret } from '../secret.ts'
import { type Command, parseCommand, RedisError, type Reply } from './commands.ts'
import type { RedisStore } from './memory.ts'

type Item = { command: Command } | { error: string }

/** Upstash's REST protocol: one command to the root, lists of them to `/pipeline` and, all or nothing, to `/multi-exec`. */
export function redisEndpoint({ store, token }: { store: RedisStore; token: string }): Endpoint {
  return {
    maxBodyBytes: 16 * 1024 * 1024,
    tooLarge: () => json(413, { error: 'ERR max request size exceeded' }),
    async handle(request) {
      if (!sameSecret(request.header('authorization'), `Bearer ${token}`)) {
        return json(401, { error: 'WRONGPASS invalid or missing auth token' })
      }
      const route = request.path.split('/')[2] ?? ''
      if (request.method !== 'POST' || !['', 'pipeline', 'multi-exec'].includes(route))
        return json(400, { error: 'ERR unsupported: only POST to /, /pipeline and /multi-exec' })
      let body: unknown
      try {
        body = JSON.parse(request.body.toString('utf8'))
      } catch {
        return json(400, { error: 'ERR failed to parse pipeline request' })
      }
      const encode = request.header('upstash-encoding') === 'base64' ? base64 : (reply: Reply) => reply
      try {
        if (route === '') return json(200, { result: encode((await store.run([parseCommand(body)], false))[0] as Reply) })
        if (!Array.isArray(body)) return json(400, { error: 'ERR failed to parse pipeline request' })
        if (route === 'multi-exec') {
          const replies = await store.run(body.map(parseCommand), true)
          return json(
            200,
            replies.map((reply) => ({ result: encode(reply) })),
          )
        }
        return json(200, await pipeline(store, body.map(item), encode))
      } catch (error) {
        if (error instanceof RedisError) return json(400, { error: error.message })
        return json(503, { error: `ERR Redis cannot be reached: ${error instanceof Error ? error.message : String(error)}` })
      }
    },
  }
}

function item(given: unknown): Item {
  try {
    return { command: parseCommand(given) }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

/** A command that is wrong fails alone; the others run. */
async function pipeline(store: RedisStore, items: Item[], encode: (reply: Reply) => Reply): Promise<object[]> {
  const commands = items.flatMap((each) => ('command' in each ? [each.command] : []))
  const replies = (await store.run(commands, false)).values()
  return items.map((each) => ('error' in each ? each : { result: encode(replies.next().value as Reply) }))
}

/** As Upstash does, `OK` stays as it is. */
function base64(reply: Reply): Reply {
  if (Array.isArray(reply)) return reply.map((part) => (part === null ? null : Buffer.from(part).toString('base64')))
  return typeof reply === 'string' && reply !== 'OK' ? Buffer.from(reply).toString('base64') : reply
}

const json = (status: number, body: unknown): WireAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
