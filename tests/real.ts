import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Name } from '@twofold/servers/server.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

export interface Suite {
  /** The servers that it needs, all of them. */
  on: readonly Name[]
  files: string
}

/**
 * What `npm run test:real` runs: every `*.real.test.ts`, and the suites that run on a native Postgres in place of the
 * embedded one as soon as TEST_DATABASE_URL names it.
 */
export const suites: readonly Suite[] = [
  { on: ['postgres'], files: 'functions/**/*.test.ts' },
  { on: ['postgres'], files: 'packages/postgres/**/*.test.ts' },
  { on: ['postgres'], files: 'packages/local/{queue,scheduler}/{queue,scheduler}.test.ts' },
  { on: ['postgres'], files: 'packages/local/sql/*.real.test.ts' },
  { on: ['postgres'], files: 'tests/{degraded,explain,isolation,peers,recall}/**/*.test.ts' },
  { on: ['postgres'], files: 'tests/{graph/{digest,explain,postgres.real},consistency/embedded,rebuild/embedded}.test.ts' },
  { on: ['postgres', 'neo4j'], files: 'tests/faults/rollback*.test.ts' },
  { on: ['postgres', 'neo4j'], files: 'tests/{graph/{neo4j,races},consistency/neo4j,rebuild/neo4j}.real.test.ts' },
  { on: ['postgres', 'neo4j'], files: 'tests/{cloud,soak}/*.real.test.ts' },
  { on: ['postgres', 'redis', 'neo4j', 'sqs'], files: 'tests/faults/real/*.real.test.ts' },
  { on: ['postgres', 'redis', 'neo4j', 'sqs'], files: 'tests/{real/*.real,journeys/*}.test.ts' },
  { on: ['neo4j'], files: 'packages/{graph/neo4j,local}/*.real.test.ts' },
  { on: ['redis'], files: 'packages/{cache,local/redis}/*.real.test.ts' },
  { on: ['postgres', 'redis'], files: 'packages/servers/*.real.test.ts' },
  { on: ['sqs'], files: 'packages/local/queue/*.real.test.ts' },
]

/** The variable that says where each server is. */
const ADDRESSES: Record<Name, string> = {
  postgres: 'TEST_DATABASE_URL',
  redis: 'TEST_REDIS_URL',
  neo4j: 'TEST_NEO4J_URI',
  sqs: 'TEST_SQS_URL',
}

/** The servers that are not there. */
export const missingOf = (env: Record<string, string | undefined>): Name[] =>
  (Object.keys(ADDRESSES) as Name[]).filter((name) => !env[ADDRESSES[name]])

/** The suites' files: those that can run without `missing`, and those that cannot. */
export function filesOf(missing: readonly Name[]): { run: string[]; skipped: string[] } {
  const found = suites.map(({ on, files }) => ({
    files: globSync(files, { cwd: root, exclude: ['**/node_modules/**'] }),
    lacks: on.some((name) => missing.includes(name)),
  }))
  const filesWhere = (lacks: boolean) => found.filter((suite) => suite.lacks === lacks).flatMap(({ files }) => files)
  const skipped = new Set(filesWhere(true))
  return {
    run: filesWhere(false)
      .filter((file) => !skipped.has(file))
      .sort(),
    skipped: [...skipped].sort(),
  }
}
