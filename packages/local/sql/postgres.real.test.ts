import { sqlContract } from './contract.ts'
import { openPostgres } from './postgres.ts'

sqlContract('native Postgres behind /sql', async () => openPostgres({ url: process.env.TEST_DATABASE_URL as string, log: console.error }))
