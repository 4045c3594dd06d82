import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Name } from './server.ts'
import { servers, startKept, stateOf } from './servers.ts'

let folder = ''
const env = () => ({ TWOFOLD_SERVERS_CACHE: join(folder, 'cache'), TWOFOLD_SERVERS_DATA: join(folder, 'data') })
const named = (name: Name) => servers.find((server) => server.name === name)!

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twofold-servers-'))
  // As open as a folder of caches is.
  await chmod(folder, 0o755)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

test.each([
  ['neo4j', '`java` is missing: apt-get install default-jre-headless'],
  ['neo4j', '`mvn` is missing: apt-get install maven'],
  ['sqs', '`mvn` is missing: apt-get install maven'],
  ['redis', '`apt-get` is missing: its programs come from the packages of Debian or Ubuntu'],
] as const)('on a machine without any command %s says: %s', (name, words) => {
  vi.stubEnv('PATH', folder)
  expect(stateOf(named(name), env())).toEqual({ state: 'cannot run', why: expect.arrayContaining([words]) })
})

test('on a machine without Python Postgres says so', async () => {
  vi.stubEnv('PATH', folder)
  // Only for root, who becomes somebody else by it.
  await writeFile(join(folder, 'setpriv'), '#!/bin/sh\n', { mode: 0o755 })
  const why = expect.arrayContaining(['`python3` is missing: apt-get install python3 python3-pip'])
  expect(stateOf(named('postgres'), env())).toEqual({ state: 'cannot run', why })
})

test('programs that are in the cache need no command that brings them', async () => {
  vi.stubEnv('PATH', folder)
  await mkdir(join(folder, 'cache', 'redis'), { recursive: true })
  expect(stateOf(named('redis'), env())).toEqual({ state: 'stopped' })
})

test('a Java that is too old is named with the version that it must be', async () => {
  vi.stubEnv('PATH', folder)
  await writeFile(join(folder, 'java'), '#!/bin/sh\necho \'openjdk version "11.0.2"\' >&2\n', { mode: 0o755 })
  const state = stateOf(named('sqs'), env())
  expect(state).toMatchObject({ why: [expect.stringContaining('is version 11 and must be 17 or newer'), expect.anything()] })
})

/** A server's note of itself, as `start` leaves it. */
async function note(pid: number, since: string) {
  await mkdir(join(folder, 'data', 'redis'), { recursive: true })
  await mkdir(join(folder, 'cache', 'redis'), { recursive: true })
  await writeFile(join(folder, 'data', 'redis', 'running.json'), JSON.stringify({ pid, since, port: 1 }))
}

test('a note left by a process that is gone counts for nothing', async () => {
  const { pid } = spawnSync('true')
  await note(pid, '1')
  expect(stateOf(named('redis'), env())).toEqual({ state: 'stopped' })
})

test('a note whose pid another process has by now counts for nothing', async () => {
  await note(process.pid, '1')
  expect(stateOf(named('redis'), env())).toEqual({ state: 'stopped' })
})

test('a port that is none is refused with the variable that holds it', async () => {
  await mkdir(join(folder, 'cache', 'redis'), { recursive: true })
  const start = startKept(named('redis'), { ...env(), TWOFOLD_SERVERS_REDIS_PORT: 'many' }, () => undefined)
  await expect(start).rejects.toThrow('TWOFOLD_SERVERS_REDIS_PORT is "many" and must be a port, 0 for any')
})
