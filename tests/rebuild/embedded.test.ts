import { describe } from 'vitest'
import { embeddedStores } from '../graph/embedded.ts'
import { rebuildTests } from './suite.ts'

describe('two stores, the graph in Postgres tables', () => rebuildTests(embeddedStores))
