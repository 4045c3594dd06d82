import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { filesOf, missingOf, suites } from './real.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

test('every test of a real server is in a suite that names the servers it needs', () => {
  const written = globSync('{functions,packages,tests}/**/*.real.test.ts', { cwd: root, exclude: ['**/node_modules/**'] })
  expect(written.filter((file) => !filesOf([]).run.includes(file))).toEqual([])
})

test('every suite has files', () => {
  expect(suites.filter(({ files }) => globSync(files, { cwd: root }).length === 0)).toEqual([])
})

test('a missing server takes away all that needs it and nothing else', () => {
  const { run, skipped } = filesOf(['neo4j'])
  expect(skipped).toContain('packages/graph/neo4j/neo4j.real.test.ts')
  expect(skipped).toContain('tests/graph/races.real.test.ts')
  expect(run).toContain('packages/cache/redis.real.test.ts')
  expect([...run, ...skipped].sort()).toEqual(filesOf([]).run)
})

test('a server is missing until its variable says where it is', () => {
  const env = { TEST_DATABASE_URL: 'postgres://127.0.0.1/a', TEST_REDIS_URL: '', TEST_SQS_URL: 'http://127.0.0.1:1' }
  expect(missingOf(env)).toEqual(['redis', 'neo4j'])
})
