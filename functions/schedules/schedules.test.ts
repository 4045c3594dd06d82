import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { INTERVALS } from '../env.ts'
import { schedules } from './schedules.ts'

const readme = await readFile(new URL('./README.md', import.meta.url), 'utf8')

test.each(schedules.map(({ declared }) => declared))('$name is described with its variable and default', ({ name, every }) => {
  const often = every === 'NIGHTLY_HOUR' ? '`NIGHTLY_HOUR` (UTC) | 3' : `\`${every}\` | ${INTERVALS[every]}`
  expect(readme).toContain(`| \`${name}\` | ${often} |`)
})

test('every schedule has a name and an interval of its own', () => {
  const of = (what: 'name' | 'every') => new Set(schedules.map(({ declared }) => declared[what])).size
  expect([of('name'), of('every')]).toEqual([schedules.length, schedules.length])
})
