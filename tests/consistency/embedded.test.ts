import { describe } from 'vitest'
import { embeddedStores } from '../graph/embedded.ts'
import { consistencyTests } from './suite.ts'
import { tables } from './tables.ts'

describe('two stores, the graph in Postgres tables', () => consistencyTests(embeddedStores, ({ db }) => tables(db)))
