import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { provisioned } from './provisioned.ts'

const caches: string[] = []
let cache = ''
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'twofold-cache-'))
  caches.push(cache)
})
afterAll(() => Promise.all(caches.map((folder) => rm(folder, { recursive: true }))))

const folders = async () => (await readdir(cache, { withFileTypes: true })).filter((one) => one.isDirectory()).map(({ name }) => name)
const build = (text: string) => async (folder: string) => writeFile(join(folder, 'program'), text)

test('what is provisioned is built once and then only found', async () => {
  expect(await provisioned(cache, 'a-1', build('first'))).toBe(join(cache, 'a-1'))
  await provisioned(cache, 'a-1', build('second'))
  expect(await readFile(join(cache, 'a-1', 'program'), 'utf8')).toBe('first')
})

test('of two at once one builds and the other finds what it built', async () => {
  let builds = 0
  const counted = async (folder: string) => {
    builds++
    await build('x')(folder)
  }
  await Promise.all([provisioned(cache, 'a-1', counted), provisioned(cache, 'a-1', counted)])
  expect(builds).toBe(1)
})

test('a build that fails leaves nothing, and the next one may succeed', async () => {
  const failing = async (folder: string) => {
    await build('half')(folder)
    throw new Error('no network')
  }
  await expect(provisioned(cache, 'a-1', failing)).rejects.toThrow('no network')
  expect(await folders()).toEqual([])
  await provisioned(cache, 'a-1', build('whole'))
  expect(await folders()).toEqual(['a-1'])
})

test('a process killed in the middle leaves nothing that looks whole, and what it left is removed by the next', async () => {
  const module = new URL('./provisioned.ts', import.meta.url).href
  const source = `import { provisioned } from ${JSON.stringify(module)}
    await provisioned(process.argv[1], 'a-1', async () => { console.log('building'); await new Promise((r) => setTimeout(r, 60_000)) })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, cache], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'close')
  expect(existsSync(join(cache, 'a-1'))).toBe(false)
  expect(await folders()).toEqual([expect.stringMatching(/^a-1\.part-/)])
  await provisioned(cache, 'a-1', build('whole'))
  expect(await folders()).toEqual(['a-1'])
})
