import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlive, readStat } from './detached.ts'

const stat = (state: string, threads: number) =>
  `42 (redis) server) ${state} 1 42 42 0 -1 4194304 10 0 0 0 1 2 0 0 20 0 ${threads} 0 9876 1024 0`

test.each([
  ['runs', stat('S', 5), false],
  ['is killed and has threads that still hold its port', stat('Z', 3), false],
  ['is killed and waits to be collected', stat('Z', 1), true],
] as const)('a process that %s', (_, text, ended) => {
  expect(readStat(text)).toEqual({ since: '9876', ended })
})

test('this process is alive, and one of the same pid that started at another time is not', () => {
  const { since } = readStat(readFileSync('/proc/self/stat', 'utf8'))
  expect(isAlive({ pid: process.pid, since })).toBe(true)
  expect(isAlive({ pid: process.pid, since: '1' })).toBe(false)
})
