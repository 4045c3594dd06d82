import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHome } from './home.ts'

let parent: string
let folder: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'twofold-home-'))
  folder = join(parent, 'deep', 'home')
})
afterEach(() => rmSync(parent, { recursive: true }))

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('the folder is made for its owner alone, and a secret is made once and kept', () => {
  const home = openHome(folder)
  expect(home.has('key')).toBe(false)
  const key = home.secret('key')
  expect(Buffer.from(key, 'base64url')).toHaveLength(32)
  expect(home.secret('operator', () => 'tfo_chosen')).toBe('tfo_chosen')
  expect([mode(folder), mode(join(folder, 'key'))]).toEqual(['700', '600'])
  home.close()
  const again = openHome(folder)
  expect(again.has('key')).toBe(true)
  expect(again.secret('key')).toBe(key)
  expect(again.secret('operator', () => 'another')).toBe('tfo_chosen')
  expect(readFileSync(join(folder, 'key'), 'utf8')).toBe(`${key}\n`)
  again.close()
})

test('a home held by a running process is refused by that process’s number, and free once it is killed', async () => {
  const script = `import { openHome } from ${JSON.stringify(new URL('home.ts', import.meta.url).href)}; openHome(process.argv[1]); console.log('held'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  expect(() => openHome(folder)).toThrow(
    expect.objectContaining({ name: 'LockedError', pid: holder.pid, message: expect.stringContaining(String(holder.pid)) }),
  )
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  openHome(folder).close()
})

test('one process cannot hold one home twice', () => {
  const home = openHome(folder)
  expect(() => openHome(folder)).toThrow(`is held by the running process ${process.pid}`)
  home.close()
})
