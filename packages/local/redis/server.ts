import { createClientPool } from 'redis'
import { reasonOf } from '../reason.ts'
import type { Command, Reply } from './commands.ts'
import type { RedisStore } from './memory.ts'

/**
 * The real Redis at REDIS_URL, over 10 to 50 sockets, each to be had within half a second. Answers once it is known
 * whether it can be reached; while it cannot, that is told once, every command is an error, and connections are tried
 * again, at most 2 s apart, until they are there.
 */
export async function openRedis({ url, log }: { url: string; log(message: string): void }): Promise<RedisStore> {
  const pool = createClientPool(
    { url, socket: { connectTimeout: 2_000, keepAlive: true }, disableOfflineQueue: true },
    { minimum: 10, maximum: 50, acquireTimeout: 500 },
  )
  let away = false
  await new Promise<void>((tried) => {
    pool.on('error', (error: Error) => {
      if (!away) log(`Redis at REDIS_URL cannot be reached: ${reasonOf(error)}; running without a cache until it can`)
      away = true
      tried()
    })
    // Rejects only when it is closed before it ever came up.
    pool.connect().then(
      () => tried(),
      () => undefined,
    )
  })
  const send = (commands: readonly Command[], atomic: boolean) =>
    pool.execute(async (client) => {
      if (!atomic) return Promise.all(commands.map((command) => client.sendCommand<Reply>(words(command))))
      const multi = client.multi()
      for (const command of commands) multi.addCommand(words(command))
      return (await multi.exec()) as unknown as Reply[]
    })
  return {
    async run(commands, atomic) {
      const replies = await send(commands, atomic)
      if (away) log('Redis at REDIS_URL answers again')
      away = false
      return replies
    },
    // Closing in order waits for connections that may never come.
    close: async () => (away ? pool.destroy() : pool.close()),
  }
}

function words(command: Command): string[] {
  switch (command.name) {
    case 'PING':
      return ['PING']
    case 'GET':
      return ['GET', command.key]
    case 'MGET':
    case 'DEL':
      return [command.name, ...command.keys]
    case 'SET': {
      const expiry = command.ttlMs === null ? [] : ['PX', String(command.ttlMs)]
      return ['SET', command.key, command.value, ...expiry, ...(command.onlyNew ? ['NX'] : [])]
    }
  }
}
