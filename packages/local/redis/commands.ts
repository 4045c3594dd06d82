/** Every command `functions/` sends. Anything else is answered as unsupported instead of nearly right. */
export const SUPPORTED = ['GET', 'SET', 'MGET', 'DEL', 'PING'] as const

export type Command =
  | { name: 'GET'; key: string }
  | { name: 'SET'; key: string; value: string; ttlMs: number | null; onlyNew: boolean }
  | { name: 'MGET' | 'DEL'; keys: string[] }
  | { name: 'PING' }

export type Reply = string | number | null | (string | null)[]

/** An answer of Redis that is an error, as opposed to a Redis that cannot answer. */
export class RedisError extends Error {
  override readonly name = 'RedisError'
}

/** Reads one command as the wire carries it. Throws `RedisError`. */
export function parseCommand(given: unknown): Command {
  if (!Array.isArray(given) || given.length === 0) throw new RedisError('ERR a command must be a non-empty array')
  if (!given.every((part) => ['string', 'number', 'boolean'].includes(typeof part))) throw new RedisError('ERR arguments must be strings')
  // JSON may hold half a surrogate pair; no Redis can.
  const [name, ...args] = given.map((part) => String(part).toWellFormed()) as [string, ...string[]]
  const [key, value, ...options] = args
  switch (name.toUpperCase()) {
    case 'PING':
      return { name: 'PING' }
    case 'GET':
      if (key === undefined || args.length !== 1) break
      return { name: 'GET', key }
    case 'SET':
      if (key === undefined || value === undefined) break
      return { name: 'SET', key, value, ...setOptions(options) }
    case 'MGET':
    case 'DEL':
      if (args.length === 0) break
      return { name: name.toUpperCase() as 'MGET' | 'DEL', keys: args }
    default:
      throw new RedisError(`ERR unsupported: ${name.slice(0, 64)}`)
  }
  throw new RedisError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
}

function setOptions(options: string[]): { ttlMs: number | null; onlyNew: boolean } {
  const found = { ttlMs: null as number | null, onlyNew: false }
  for (let i = 0; i < options.length; i++) {
    const option = (options[i] as string).toUpperCase()
    if (option === 'NX') found.onlyNew = true
    else if ((option === 'EX' || option === 'PX') && found.ttlMs === null) {
      const amount = Number(options[++i])
      if (!Number.isSafeInteger(amount) || amount <= 0) throw new RedisError("ERR invalid expire time in 'set' command")
      found.ttlMs = option === 'EX' ? amount * 1000 : amount
    } else throw new RedisError(`ERR unsupported: SET with ${option.slice(0, 64)}`)
  }
  return found
}
