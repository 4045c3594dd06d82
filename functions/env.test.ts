import { expect, test } from 'vitest'
import { readEnv } from './env.ts'

const DATABASE_URL = 'postgres://owner:secret@localhost/twofold'

test('schedules run by the minute, compare the stores every five and all of them at three, unless told otherwise', () => {
  expect(readEnv({ DATABASE_URL })).toMatchObject({
    ...{ RELAY_INTERVAL_MS: 60_000, EXPIRE_INTERVAL_MS: 60_000, REEMBED_INTERVAL_MS: 60_000, RUNS_INTERVAL_MS: 60_000 },
    ...{ SYNC_INTERVAL_MS: 300_000, NIGHTLY_HOUR: 3, ENABLE_AUTO_SYNC: true },
  })
  expect(
    readEnv({ DATABASE_URL, SYNC_INTERVAL_MS: '1000', NIGHTLY_HOUR: '0', ENABLE_AUTO_SYNC: 'false', PURGE_INTERVAL_MS: '' }),
  ).toMatchObject({
    ...{ SYNC_INTERVAL_MS: 1000, NIGHTLY_HOUR: 0, ENABLE_AUTO_SYNC: false, PURGE_INTERVAL_MS: 3_600_000 },
  })
})

test.each([
  ['SYNC_INTERVAL_MS', '99', 'is "99"; allowed is a whole number from 100 to 86400000.'],
  ['PURGE_INTERVAL_MS', 'daily', 'is "daily"; allowed is a whole number from 100 to 86400000.'],
  ['NIGHTLY_HOUR', '24', 'is "24"; allowed is a whole number from 0 to 23.'],
  ['ENABLE_AUTO_SYNC', 'no', 'is "no"; allowed is true or false.'],
])('%s as "%s" is refused by name', (name, value, said) => {
  expect(() => readEnv({ DATABASE_URL, [name]: value })).toThrow(`\n  ${name} ${said}`)
})
