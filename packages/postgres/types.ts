import { getTypeParser } from 'pg-types'

const ISO_LIKE = /^(\d{4,})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)(?::?(\d\d))?$/

/** `2026-01-02 03:04:05.678901+00` as ISO 8601 in UTC with milliseconds; `infinity` and years before Christ stay as they are. */
function isoTime(text: string): string {
  const parts = ISO_LIKE.exec(text)
  if (!parts) return text
  const [, year, month, day, time, fraction = '', hours, minutes = '00'] = parts
  return new Date(`${year}-${month}-${day}T${time}${fraction.slice(0, 4)}${hours}:${minutes}`).toISOString()
}

function safeInteger(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError('a bigint is beyond what a number holds exactly; select it as text')
  return number
}

const [INT8, INT8_ARRAY, TEXT_ARRAY, DATE] = [20, 1016, 1009, 1082]
const [TIMESTAMP, TIMESTAMPTZ, TIMESTAMPTZ_ARRAY] = [1114, 1184, 1185]

const textArray = getTypeParser(TEXT_ARRAY) as (text: string) => (string | null)[]
const eachOf =
  <T>(parse: (text: string) => T) =>
  (text: string): (T | null)[] =>
    textArray(text).map((item) => (item === null ? null : parse(item)))

const parsers: Record<number, (text: string) => unknown> = {
  [INT8]: safeInteger,
  [INT8_ARRAY]: eachOf(safeInteger),
  [DATE]: String,
  [TIMESTAMP]: String,
  [TIMESTAMPTZ]: isoTime,
  [TIMESTAMPTZ_ARRAY]: eachOf(isoTime),
}

/**
 * What rows hold, by the type of the column: numbers for int and float (a bigint beyond 2^53 throws), booleans, parsed json, times
 * as ISO 8601 text, arrays as arrays, bytea as Buffer; numeric, date, vector and all else as Postgres writes them.
 */
export const parserOf = (oid: number): ((text: string) => unknown) => parsers[oid] ?? getTypeParser(oid)

/**
 * What statements may hand over, as Postgres reads it: null, text, numbers, booleans, dates, bytes, and arrays of these as Postgres
 * arrays. An object goes as JSON; an array meant as JSON must come as `JSON.stringify`, since it would be taken for a Postgres array.
 */
export function toParam(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object') return String(value)
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  if (value instanceof Date) return value.toISOString()
  return Array.isArray(value) ? `{${value.map(element).join(',')}}` : JSON.stringify(value)
}

function element(value: unknown): string {
  const text = toParam(value)
  return text === null || Array.isArray(value) ? (text ?? 'NULL') : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
