import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { broken, roomOf } from './arrows.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

function declaredBy(room: string): Set<string> {
  const path = room === 'functions' ? 'functions/package.json' : `packages/${room}/package.json`
  return new Set(Object.keys(JSON.parse(readFileSync(`${root}${path}`, 'utf8')).dependencies ?? {}))
}

test('every file of the house keeps its rules', () => {
  const files = globSync('{functions,packages,stacks,tests}/**/*.ts', { cwd: root, exclude: ['**/node_modules/**'] })
  expect(files.length).toBeGreaterThan(100)
  const found = files.flatMap((file) => {
    const room = roomOf(file)
    const declared = ['tests', 'stacks'].includes(room) ? new Set<string>() : declaredBy(room)
    return broken(file, readFileSync(`${root}${file}`, 'utf8'), declared).map((rule) => `${file} ${rule}`)
  })
  expect(found).toEqual([])
})

const declared = new Set(['zod-own', 'hono', 'pg', '@neondatabase/serverless'])

test.each([
  ['packages/operation/a.ts', `import { x } from '@twofold/core/ports.ts'`, 'imports core: no arrow leads from operation there'],
  ['packages/core/a.ts', `import { x } from '@twofold/postgres/connect.ts'`, 'imports postgres: no arrow leads from core there'],
  ['packages/core/a.ts', `import type { X } from '@twofold/functions/env.ts'`, 'imports functions: no arrow leads from core there'],
  [
    'packages/cache/a.ts',
    `import { recall } from '@twofold/core/memories/recall.ts'`,
    'imports values of @twofold/core/memories/recall.ts: from cache only types lead there',
  ],
  [
    'packages/cache/a.ts',
    `import { type A, b } from '@twofold/core/ports.ts'`,
    'imports values of @twofold/core/ports.ts: from cache only types lead there',
  ],
  [
    'packages/graph/a.ts',
    `export { b } from '@twofold/core/ports.ts'`,
    'imports values of @twofold/core/ports.ts: from graph only types lead there',
  ],
  [
    'packages/graph/a.ts',
    `const b = await import('@twofold/core/ports.ts')`,
    'imports values of @twofold/core/ports.ts: from graph only types lead there',
  ],
  ['packages/core/a.ts', 'const b = await import(place)', 'imports a module by a computed name'],
  ['functions/memories/add.ts', `import { sql } from '@twofold/core/sql.ts'`, 'holds SQL'],
  ['packages/graph/a.ts', `import '@twofold/cache/redis.ts'`, 'imports cache: no arrow leads from graph there'],
  [
    'functions/memories/add.ts',
    `import { connect } from '@twofold/postgres/connect.ts'`,
    'imports postgres: no arrow leads from functions there',
  ],
  ['functions/deps.ts', `import { x } from '@twofold/local/start.ts'`, 'imports local: no arrow leads from functions there'],
  ['functions/deps.ts', `import { x } from '@twofold/servers/servers.ts'`, 'imports servers: no arrow leads from functions there'],
  ['functions/parts/graph.ts', `import { x } from '@twofold/local/start.ts'`, 'imports local: no arrow leads from functions there'],
  ['packages/local/a.ts', `import { x } from '@twofold/servers/servers.ts'`, 'imports servers: no arrow leads from local there'],
  ['packages/core/a.ts', `import { x } from '../operation/refusal.ts'`, 'leaves its room by ../operation/refusal.ts'],
  ['packages/core/a.ts', `import { x } from '../../tests/database.ts'`, 'leaves its room by ../../tests/database.ts'],
  ['packages/core/a.ts', `import { x } from './b.test.ts'`, 'imports ./b.test.ts, which is for tests'],
  ['packages/local/a.ts', `import { x } from '@twofold/functions/fixture.ts'`, 'imports @twofold/functions/fixture.ts, which is for tests'],
  ['packages/core/a.ts', `import { Hono } from 'hono'`, 'imports hono, which only ^packages\\/(operation\\/http\\.ts$|local\\/) may'],
  [
    'packages/operation/openapi.ts',
    `import type { X } from 'hono/aws-lambda'`,
    'imports hono/aws-lambda, which only ^packages\\/(operation\\/http\\.ts$|local\\/) may',
  ],
  [
    'packages/core/a.ts',
    `import { neon } from '@neondatabase/serverless'`,
    'imports @neondatabase/serverless, which only ^packages\\/postgres\\/ may',
  ],
  ['packages/core/a.ts', `import _ from 'lodash/fp'`, 'imports lodash, which its package.json does not declare'],
  ['packages/core/a.ts', `import { z } from 'zod-own'`, 'imports { z } of zod, and not * as z'],
  ['packages/core/a.ts', `import type { z } from 'zod'`, 'imports the zod of others, and not zod-own'],
  ['packages/local/wire.ts', 'const key = process.env.KEY', 'reads process.env'],
  ['packages/core/a.ts', 'const { KEY } = process.env', 'reads process.env'],
  ['packages/core/a.ts', `import { env } from 'node:process'`, 'imports an environment'],
  ['packages/core/a.ts', 'const at = Date.now()', 'uses Date.now'],
  ['packages/core/a.ts', 'const at = new Date()', 'uses new Date()'],
  ['packages/core/a.ts', 'const at = Math.random()', 'uses Math.random'],
  ['packages/core/a.ts', `import { randomUUID as id } from 'node:crypto'`, 'uses randomUUID'],
  ['stacks/a.ts', `import { connect } from '@twofold/postgres/connect.ts'`, 'imports postgres: no arrow leads from stacks there'],
  ['functions/a.ts', `import { x } from '../stacks/api.ts'`, 'leaves its room by ../stacks/api.ts'],
  ['packages/core/memory-utils.ts', '', 'has a name that says nothing'],
  ['packages/core/helpers/a.ts', '', 'has a name that says nothing'],
  ['packages/core/memories/manager.ts', '', 'has a name that says nothing'],
  ['packages/shed/a.ts', '', 'stands in shed, which is no room of the house'],
  ['packages/core/a.ts', '\n'.repeat(400), 'has 401 lines; the most is 400'],
])('a wrong line is found: %s %s', (file, source, rule) => {
  expect(broken(file, source, declared)).toContain(rule)
})

test.each([
  ['packages/core/a.ts', `import { Refusal } from '@twofold/operation/refusal.ts'; import * as z from 'zod-own'; const at = new Date(0)`],
  ['packages/cache/a.ts', `import type { Cache } from '@twofold/core/ports.ts'; import { ModelError } from '@twofold/core/failures.ts'`],
  ['packages/cache/a.ts', `import { type Cache } from '@twofold/core/ports.ts'; const at = Date.now()`],
  ['functions/deps.ts', `import { connect } from '@twofold/postgres/connect.ts'`],
  ['functions/parts/graph.ts', `import { disabledGraph } from '@twofold/graph/disabled.ts'`],
  ['functions/system/openapi.ts', `const document = await import('../../openapi.json', { with: { type: 'json' } })`],
  ['functions/env.ts', 'const key = process.env.KEY'],
  ['packages/operation/http.ts', `import { Hono } from 'hono'`],
  ['packages/local/start.ts', `import { operations } from '@twofold/functions/operations.ts'; import pg from 'pg'; process.env.PORT`],
  ['packages/bench/a.ts', `import { openNeo4j } from '@twofold/servers/servers.ts'`],
  ['tests/faults/a.test.ts', `import { openNeo4j } from '@twofold/servers/servers.ts'`],
  ['packages/core/a.test.ts', `import { connect } from '@twofold/postgres/connect.ts'; const at = Date.now()`],
  ['packages/core/a.ts', `// Date.now() and process.env are only words here\nconst text = 'new Date()'`],
])('a right line is left alone: %s %s', (file, source) => {
  expect(broken(file, source, declared)).toEqual([])
})
