import { backgroundTests } from './background.ts'
import { collectTests } from './collect.ts'
import { digestTests } from './digests.ts'
import { joinedTests } from './joined.ts'
import { ledgerTests } from './ledger.ts'
import { queryTests } from './query.ts'
import { refusedTests } from './refused.ts'
import { sessionTests } from './sessions.ts'
import type { OpenStores } from './stores.ts'

/** Everything that is built on the port and holds whatever graph stands behind it. */
export function graphTests(open: OpenStores): void {
  for (const suite of [ledgerTests, refusedTests, sessionTests, digestTests, backgroundTests, collectTests, queryTests, joinedTests])
    suite(open)
}
