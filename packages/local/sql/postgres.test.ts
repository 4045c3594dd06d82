import { describe, test } from 'vitest'
import { sqlContract } from './contract.ts'
import { openPostgres } from './postgres.ts'

const url = process.env.TEST_DATABASE_URL

if (url) sqlContract('native Postgres behind /sql', async () => openPostgres({ url, log: console.error }))
else
  describe.skip('native Postgres behind /sql: SKIPPED, set TEST_DATABASE_URL to run it', () =>
    test('the same contract as PGlite', () => undefined))
