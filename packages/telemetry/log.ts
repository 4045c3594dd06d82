import type { Log } from '@twofold/core/ports.ts'

const LEVELS = ['info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LEVELS)[number]

export interface LogSettings {
  /** The least that is written. */
  level: LogLevel
  now(): Date
  /** Where a line goes; default standard error. */
  write?(line: string): void
}

/**
 * One JSON object a line: `time`, `level`, `event`, then the fields. Content never belongs into a field; of an error only
 * what cannot hold any is written: its kind, code and place, and the message where the kind is known to quote nothing.
 */
export function logger({ level, now, write = (line) => process.stderr.write(line) }: LogSettings): Log {
  const at =
    (name: LogLevel) =>
    (event: string, fields: Record<string, unknown> = {}) => {
      if (LEVELS.indexOf(name) < LEVELS.indexOf(level)) return
      write(`${JSON.stringify({ time: now().toISOString(), level: name, event, ...fields }, plain)}\n`)
    }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors whose messages name what went wrong and never what was sent. */
const QUOTES_NOTHING = new Set([
  'Error',
  'TypeError',
  'ReferenceError',
  'SqlError',
  'VectorStoreError',
  'GraphStoreError',
  'ModelError',
  'TimeoutError',
  'AbortError',
  'Unreachable',
])

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (!(value instanceof Error)) return value
  const { name, message, stack = '', cause } = value
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return {
    name,
    code: 'code' in value ? value.code : undefined,
    message: QUOTES_NOTHING.has(name) ? message : undefined,
    at: frames.slice(0, 5).map((line) => line.trim().replace(/^at /, '')),
    cause: cause instanceof Error ? cause : undefined,
  }
}
