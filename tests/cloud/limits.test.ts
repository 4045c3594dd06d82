import { eventOf } from '@twofold/functions/calls.fixture.ts'
import { operations } from '@twofold/functions/operations.ts'
import { leaseMs } from '@twofold/functions/schedules/scheduled.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { describe, expect, test } from 'vitest'
import { PAYLOAD_BYTES } from './runtime/api.ts'

/** What the code declares, held against what the platform allows; that it keeps to it is seen under the real runtime. */

/** What an HTTP API takes of headers, all together. */
const HEADER_BYTES = 10_240
/** How long it waits for a function, less what a cold start takes of it. */
const WAITS_MS = 30_000 - 3_000
const LONGEST_FUNCTION_MS = 900_000

describe.each(operations.map((operation) => [operation.name, operation] as const))('%s', (_, operation) => {
  test('takes no more than an event holds', () => {
    const { body, ...beside } = eventOf(operation, {})
    // Of a header each character may be escaped.
    expect(operation.maxBytes + Buffer.byteLength(JSON.stringify(beside)) + 2 * HEADER_BYTES).toBeLessThan(PAYLOAD_BYTES)
  })

  test('answers while the gateway still waits', () => {
    expect(operation.deadlineMs).toBeLessThan(WAITS_MS)
  })
})

test.each(schedules.map(({ declared }) => [declared.name, declared] as const))('%s does not outlive its function', (_, declared) => {
  expect(leaseMs(declared)).toBeLessThanOrEqual(LONGEST_FUNCTION_MS)
})
