import { existsSync, readdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { has, run } from './detached.ts'
import { provisioned } from './provisioned.ts'
import type { Server } from './server.ts'

const PROGRAMS = 'redis'

/** The distribution's Redis, unpacked and not installed. */
export const redis: Server = {
  name: 'redis',
  title: 'Redis',
  port: 16379,
  ends: 'SIGTERM',
  needs(cache) {
    if (existsSync(join(cache, PROGRAMS))) return []
    const missing = ['apt-get', 'dpkg-deb'].filter((command) => !has(command))
    return missing.map((command) => `\`${command}\` is missing: its programs come from the packages of Debian or Ubuntu`)
  },
  async provision(cache, say) {
    await provisioned(cache, PROGRAMS, async (folder) => {
      try {
        await download(folder)
      } catch (error) {
        if (process.getuid?.() !== 0) throw new Error('redis: apt-get cannot download it; sudo apt-get update may help', { cause: error })
        say('redis: apt-get cannot download it, so apt-get update comes first')
        await run({ command: 'apt-get', args: ['update', '-q'] })
        await download(folder)
      }
      for (const file of await readdir(folder))
        if (file.endsWith('.deb')) await run({ command: 'dpkg-deb', args: ['-x', file, '.'], cwd: folder })
    })
  },
  async prepare({ cache, folder, port, settings, durable = false }) {
    const programs = join(cache, PROGRAMS, 'usr')
    const libraries = readdirSync(join(programs, 'lib')).filter((name) => name.endsWith('-linux-gnu'))
    const all = { save: '', appendonly: durable ? 'yes' : 'no', appendfsync: 'always', dir: folder, ...settings }
    return {
      command: join(programs, 'bin', 'redis-server'),
      args: ['--port', String(port), '--bind', '127.0.0.1', ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])],
      env: { LD_LIBRARY_PATH: libraries.map((name) => join(programs, 'lib', name)).join(':') },
    }
  },
  variables: ({ port }) => [['TEST_REDIS_URL', `redis://127.0.0.1:${port}`]],
  async ask({ TEST_REDIS_URL }) {
    const { createClient } = await import('redis')
    const client = createClient({ url: TEST_REDIS_URL, socket: { connectTimeout: 2_000, reconnectStrategy: false } })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.ping()
    } finally {
      if (client.isOpen) client.destroy()
    }
  },
}

/** Redis and those of its libraries that this machine lacks. */
async function download(folder: string): Promise<void> {
  const packages = new Set(['redis-server', 'redis-tools'])
  await run({ command: 'apt-get', args: ['install', '-s', '--no-install-recommends', 'redis-server'] }, (line) => {
    const name = /^Inst (\S+)/.exec(line)?.[1]
    if (name) packages.add(name)
  })
  await run({ command: 'apt-get', args: ['download', '-q', ...packages], cwd: folder })
}
