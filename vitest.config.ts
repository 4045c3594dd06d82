import { configDefaults, defineConfig } from 'vitest/config'
import { LongestFirst } from './tests/order.ts'

/** Rooms whose lines the tests must reach. */
const covered = ['packages/core', 'packages/operation', 'packages/postgres', 'packages/graph']

export default defineConfig({
  test: {
    include: ['{functions,packages,tests}/**/*.test.ts'],
    // Those of the cloud stand on what `npm run check:cloud` brings.
    exclude: [...configDefaults.exclude, '**/*.real.test.ts', 'tests/cloud/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Each test process may hold a database of its own; more than the cores only wait for each other.
    maxWorkers: 2,
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    coverage: {
      provider: 'v8',
      include: [...covered, 'packages/cache', 'packages/models', 'packages/resilience', 'packages/telemetry', 'functions'].map(
        (room) => `${room}/**/*.ts`,
      ),
      // Neo4j's adapter is reached by the suites on real servers alone.
      exclude: ['**/*.test.ts', '**/{fixture,*.fixture,contract}.ts', '**/contract/**', 'packages/graph/neo4j/**'],
      reporter: [['text', { skipFull: true }], 'text-summary'],
      thresholds: Object.fromEntries(covered.map((room) => [`${room}/**`, { lines: 90 }])),
    },
  },
})
