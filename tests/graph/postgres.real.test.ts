import { describe } from 'vitest'
import { embeddedTests } from './embedded.ts'

describe.skipIf(!process.env.TEST_DATABASE_URL)('on a native Postgres (TEST_DATABASE_URL)', embeddedTests)
