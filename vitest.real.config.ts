import { defineConfig } from 'vitest/config'
import { filesOf, missingOf } from './tests/real.ts'
import { Skips } from './tests/skips.ts'

export default defineConfig({
  test: {
    include: filesOf(missingOf(process.env)).run,
    reporters: ['default', new Skips()],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    pool: 'forks',
  },
})
