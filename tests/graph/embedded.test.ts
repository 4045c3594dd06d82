import { embeddedTests } from './embedded.ts'

embeddedTests()
