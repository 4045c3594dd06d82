import { configDefaults, defineConfig } from 'vitest/config'

/** What the cloud would be made of, checked without an account: `npm run check:cloud`. */
export default defineConfig({
  test: {
    include: ['tests/cloud/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/*.real.test.ts'],
    globalSetup: ['tests/cloud/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    pool: 'forks',
  },
})
