import { digest } from '../graph/digest.ts'
import type { Edge, Head, Shown } from '../graph/port.ts'
import { projectionOf } from '../graph/projection.ts'
import { type Difference, plain } from './difference.ts'
import type { Judged } from './ledger.sql.ts'

type Named = Pick<Difference, 'kind' | 'what' | 'expected' | 'found'>

/** What the graph has of one id. */
export interface There {
  head: Head | undefined
  held: Shown | undefined
}

/**
 * How a settled ledger row and the graph differ, each difference by its name; none when both agree. What is due to
 * expire is on its way and left out.
 */
export function compare(row: Judged, there: There): Difference[] {
  if (row.expired) return []
  const expected = projectionOf(row)
  const found = expected.gone ? ofNothing(row, there.head) : ofShown(row, expected, there)
  const { id, revision, subject, bucket } = row
  // Beyond its fence no projection gets; and what a lost node asserted, nobody else would take away.
  const head = there.head
  const beyond = head !== undefined && (head.revision === null || head.revision > revision)
  const prune = [...(beyond && !isPlace(head) ? [{ node: head }] : []), ...(head?.shown ? [] : [{ owner: id }])]
  return found.map((one) => ({
    ...{ ...one, id, subject, bucket, prune, store: 'graph', remedy: 'project', row: { id, revision } },
    deep: seenOnlyDeep(row, head),
  }))
}

/** The place of what is not there yet; it has no fence to be taken away. */
const isPlace = (head: Head): boolean => !head.shown && !head.odd && head.revision === null

/** Digest, revision and degree stand as they should, so no sum tells. */
const seenOnlyDeep = (row: Judged, head: Head | undefined): boolean =>
  head?.shown === true &&
  head.digest?.[0] === row.high &&
  head.digest?.[1] === row.low &&
  head.revision === row.shown &&
  head.degree === row.degree

function ofNothing({ kind, revision }: Judged, head: Head | undefined): Named[] {
  if (!head || (!head.shown && !head.odd)) return []
  return [{ kind: 'orphaned', what: kind, expected: null, found: { revision: head.revision ?? revision } }]
}

function ofShown(row: Judged, expected: Shown, { head, held }: There): Named[] {
  if (!head?.shown || !held) return [{ kind: 'missing', what: row.kind, expected: { revision: row.shown }, found: null }]
  const is = digestOf(held)
  const should = expected.digest.join()
  const standing = { revision: row.shown, digest: should }
  if (row.high !== expected.digest[0] || row.low !== expected.digest[1] || (is !== should && is === head.digest?.join()))
    return [{ kind: 'stale', what: row.kind, expected: standing, found: { revision: head.revision, digest: is } }]
  return [...ofProperties(row, expected, head, held), ...ofEdges(expected.edges, held.edges)]
}

/** Null for what is no value of a projection at all. */
export function digestOf(held: Shown): string | null {
  try {
    return digest(held).join()
  } catch {
    return null
  }
}

function ofProperties(row: Judged, expected: Shown, head: Head, held: Shown): Named[] {
  const should: Record<string, unknown> = {
    ...expected.properties,
    ...about(expected),
    revision: row.shown,
    digest: expected.digest.join(),
  }
  const is: Record<string, unknown> = { ...held.properties, ...about(held), revision: head.revision, digest: head.digest?.join() ?? null }
  return [...new Set([...Object.keys(should), ...Object.keys(is)])]
    .filter((name) => JSON.stringify(should[name]) !== JSON.stringify(is[name]))
    .sort()
    .map((name) => ({ kind: 'wrong_property', what: name, expected: plain(should[name]), found: plain(is[name]) }))
}

const about = ({ kind, subject, bucket, labels }: Shown) => ({ kind, subject, bucket, labels: [...labels].sort() })

function ofEdges(expected: readonly Edge[], held: readonly Edge[]): Named[] {
  const key = ({ type, from, to, relation, namespace, confidence }: Edge) =>
    JSON.stringify([type, from, to, relation, namespace, confidence])
  const wanted = new Map(expected.map((edge) => [key(edge), edge]))
  const seen = new Set<string>()
  const found: Named[] = []
  for (const edge of held) {
    const name = key(edge)
    if (seen.has(name)) found.push({ kind: 'duplicate', what: edge.type, expected: plain(wanted.get(name)), found: plain(edge) })
    else if (!wanted.has(name)) found.push({ kind: 'wrong_edge', what: edge.type, expected: null, found: plain(edge) })
    seen.add(name)
  }
  for (const [name, edge] of wanted)
    if (!seen.has(name)) found.push({ kind: 'wrong_edge', what: edge.type, expected: plain(edge), found: null })
  return found
}
