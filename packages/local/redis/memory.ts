import type { Command, Reply } from './commands.ts'

/** Where the endpoint's commands go. `run` answers in order; `atomic` keeps other commands out in between. */
export interface RedisStore {
  run(commands: readonly Command[], atomic: boolean): Promise<Reply[]>
  close(): Promise<void>
}

interface Entry {
  value: string
  expiresAt: number
  bytes: number
}

/** What an entry costs beside its text: the map's slot and the object. */
const OVERHEAD_BYTES = 120

/** Redis in this process: entries expire, and beyond `maxBytes` the least recently used go. */
export function memoryStore({ maxBytes, now = Date.now }: { maxBytes: number; now?: () => number }): RedisStore {
  const entries = new Map<string, Entry>()
  let bytes = 0

  const drop = (key: string): boolean => {
    const entry = entries.get(key)
    if (!entry) return false
    bytes -= entry.bytes
    return entries.delete(key)
  }

  const get = (key: string): string | null => {
    const entry = entries.get(key)
    if (!entry) return null
    entries.delete(key)
    if (entry.expiresAt <= now()) {
      bytes -= entry.bytes
      return null
    }
    entries.set(key, entry)
    return entry.value
  }

  const set = (key: string, value: string, ttlMs: number | null): void => {
    drop(key)
    const entry = { value, expiresAt: ttlMs === null ? Infinity : now() + ttlMs, bytes: 2 * (key.length + value.length) + OVERHEAD_BYTES }
    entries.set(key, entry)
    bytes += entry.bytes
    for (const oldest of entries.keys()) {
      if (bytes <= maxBytes) break
      drop(oldest)
    }
  }

  const run = (command: Command): Reply => {
    switch (command.name) {
      case 'PING':
        return 'PONG'
      case 'GET':
        return get(command.key)
      case 'MGET':
        return command.keys.map(get)
      case 'DEL':
        return command.keys.filter((key) => get(key) !== null && drop(key)).length
      case 'SET':
        if (command.onlyNew && get(command.key) !== null) return null
        set(command.key, command.value, command.ttlMs)
        return 'OK'
    }
  }

  return { run: async (commands) => commands.map(run), close: async () => undefined }
}
