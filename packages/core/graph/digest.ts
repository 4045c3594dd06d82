import { createHash } from 'node:crypto'
import type { Edge, Shown } from './port.ts'

type Digested = Pick<Shown, 'kind' | 'id' | 'subject' | 'labels' | 'properties' | 'edges'>

/**
 * The 64-bit digest of what the graph must show of one thing, as two signed 32-bit integers (high, low): equal digests
 * mean that both stores show the same. The revision and the bucket are not part of it.
 *
 * It is the first 8 bytes, big-endian, of SHA-256 over the UTF-8 of one string. With
 *
 *   f(x)      = octet length of x in UTF-8, ':', x                    SQL: octet_length(x) || ':' || x
 *   list(xs)  = f(number of xs), then f of each in byte order         SQL: string_agg(f(x), '' order by x collate "C")
 *   number(n) = the 16 hex digits of n as a big-endian float64        SQL: encode(float8send(n), 'hex')
 *
 * that string is
 *
 *   f(kind) f(id) f(subject) list(labels) list(properties) list(edges)
 *   property  = f(name) f('s' text | 'n' number(n) | 'b' 'true' or 'false')
 *   edge      = f(type) f(from) f(to) f(relation) f(namespace) f(number(confidence))
 *
 * so the digest is `substr(sha256(convert_to(string, 'UTF8')), 1, 8)` in SQL. Test vectors stand in digest.test.ts.
 */
export function digest(shown: Digested): readonly [high: number, low: number] {
  const hash = createHash('sha256').update(canonical(shown)).digest()
  return [hash.readInt32BE(0), hash.readInt32BE(4)]
}

/** The string that is hashed. */
export function canonical({ kind, id, subject, labels, properties, edges }: Digested): string {
  const named = Object.entries(properties).map(([name, value]) => f(name) + f(scalar(value)))
  return f(kind) + f(id) + f(subject) + list(labels) + list(named) + list(edges.map(edge))
}

const f = (x: string): string => `${Buffer.byteLength(x)}:${x}`

const list = (xs: readonly string[]): string => f(String(xs.length)) + sorted(xs).map(f).join('')

/** Bytes of UTF-8, as collation "C" has it: JavaScript's own order differs beyond U+FFFF. */
const sorted = (xs: readonly string[]): string[] => [...xs].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

const edge = (e: Edge): string => f(e.type) + f(e.from) + f(e.to) + f(e.relation) + f(e.namespace) + f(float(e.confidence))

const scalar = (value: string | number | boolean): string =>
  typeof value === 'string' ? `s${value}` : typeof value === 'number' ? `n${float(value)}` : `b${value}`

function float(n: number): string {
  const bytes = Buffer.alloc(8)
  // Adding 0 turns -0, which no JSON keeps, into 0.
  bytes.writeDoubleBE(n + 0)
  return bytes.toString('hex')
}
