import { defineConfig } from 'vitest/config'

/** Rooms whose lines the tests must reach. */
const covered = ['packages/core', 'packages/operation', 'packages/postgres', 'packages/graph']

export default defineConfig({
  test: {
    include: ['{functions,packages,tests}/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Each test process may hold a database of its own; more than the cores only wait for each other.
    maxWorkers: 2,
    pool: 'forks',
    coverage: {
      provider: 'v8',
      include: [...covered, 'packages/cache', 'packages/models', 'packages/resilience', 'packages/telemetry', 'functions'].map(
        (room) => `${room}/**/*.ts`,
      ),
      exclude: ['**/*.test.ts', '**/{fixture,*.fixture,contract}.ts'],
      reporter: [['text', { skipFull: true }], 'text-summary'],
      thresholds: Object.fromEntries(covered.map((room) => [`${room}/**`, { lines: 90 }])),
    },
  },
})
