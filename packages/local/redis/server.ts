import { createClientPool } from 'redis'
import type { Command, Reply } from './commands.ts'
import type { RedisStore } from './memory.ts'

/** A real Redis by URL, over 10 to 50 sockets, each to be had within half a second. Rejects when it cannot be reached. */
export async function openRedis({ url, log }: { url: string; log(message: string): void }): Promise<RedisStore> {
  const pool = createClientPool(
    { url, socket: { connectTimeout: 2_000, keepAlive: true }, disableOfflineQueue: true },
    { minimum: 10, maximum: 50, acquireTimeout: 500 },
  )
  pool.on('error', (error: Error) => log(`Redis: ${error.message}`))
  await pool.connect()
  return {
    run: (commands, atomic) =>
      pool.execute(async (client) => {
        if (!atomic) return Promise.all(commands.map((command) => client.sendCommand<Reply>(words(command))))
        const multi = client.multi()
        for (const command of commands) multi.addCommand(words(command))
        return (await multi.exec()) as unknown as Reply[]
      }),
    close: () => pool.close(),
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
