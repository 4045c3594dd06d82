import { SqlError, VectorStoreError } from '@twofold/core/failures.ts'
import { expect, test } from 'vitest'
import { type LogLevel, logger } from './log.ts'

const lines = (level: LogLevel) => {
  const written: string[] = []
  return { log: logger({ level, now: () => new Date(0), write: (line) => written.push(line) }), written }
}

test('a line is one JSON object with time, level, event and fields', () => {
  const { log, written } = lines('info')
  log.info('graph.written', { rows: 3, note: 'two\nlines', big: 5n })
  expect(written).toEqual([
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"graph.written","rows":3,"note":"two\\nlines","big":"5"}\n',
  ])
})

test.each([
  ['info', ['a', 'b', 'c']],
  ['warn', ['b', 'c']],
  ['error', ['c']],
  ['silent', []],
] as const)('at level %s what is less is left out', (level, events) => {
  const { log, written } = lines(level)
  log.info('a')
  log.warn('b')
  log.error('c')
  expect(written.map((line) => JSON.parse(line).event)).toEqual(events)
})

test('of an error kind, code, place and cause are written; its message only where it can quote no content', () => {
  const { log, written } = lines('info')
  const sql = new SqlError('42703', 'SQLSTATE 42703: column "x" does not exist')
  log.error('failed', { error: new VectorStoreError('database', { retryable: true, cause: sql }) })
  const { error } = JSON.parse(written[0] as string)
  expect(error).toMatchObject({ name: 'VectorStoreError', message: 'database failed', cause: { name: 'SqlError', code: '42703' } })
  expect(error.at[0]).toContain('log.test.ts')

  const parsing = (() => {
    try {
      JSON.parse('secret content')
    } catch (error) {
      return error
    }
  })()
  log.error('failed', { error: parsing })
  expect(written[1]).not.toContain('secret')
  expect(JSON.parse(written[1] as string).error.name).toBe('SyntaxError')
})
