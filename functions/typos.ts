import { closestMatch } from 'leven'
import { AROUND, AROUND_PREFIXES, DEPLOYMENT, linkOf, NAMES, SECRETS } from './variables.ts'

const OURS = /^TWOFOLD_/
/** Set by the platform in many names, which are not for us to judge. */
const NOT_OURS = /^(AWS|LAMBDA)_/
const KNOWN = [...NAMES, ...Object.keys(DEPLOYMENT), ...AROUND]
const LINKS = SECRETS.map(linkOf)

/**
 * One line for each variable and link that nobody reads though it has our prefix, or almost the name of one that somebody
 * does read: that one is named. Says nothing of values.
 */
export function probableTypos(variables: Record<string, string | undefined>, links: Record<string, unknown> = {}): string[] {
  const given = Object.entries(variables).flatMap(([name, value]) => (value ? [name] : []))
  return [
    ...given.flatMap((name) => typo(name, KNOWN, OURS.test(name)) ?? []),
    ...Object.keys(links).flatMap((name) => typo(name, LINKS, false) ?? []),
  ]
}

function typo(name: string, known: readonly string[], ours: boolean): string | null {
  if (known.includes(name) || NOT_OURS.test(name) || AROUND_PREFIXES.some((prefix) => name.startsWith(prefix))) return null
  const meant = nearest(name, known)
  if (meant) return `${name} is read by nobody; ${meant} is probably meant.`
  return ours ? `${name} is read by nobody.` : null
}

/** The known name that differs by a slip of the fingers, by how it is written, by its end or by one word left out. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = name.toUpperCase().replaceAll('-', '_')
  const words = plain.split('_')
  const maxDistance = name.length > 8 ? 2 : 1
  // Every start of a function asks this of each of its variables, and most are told apart by their lengths.
  const near = known.filter(({ length }) => Math.abs(length - name.length) <= maxDistance)
  const longer = words.length > 1 ? known.filter(({ length }) => length > plain.length) : []
  return (
    closestMatch(name, near, { maxDistance }) ??
    known.find((each) => each === plain) ??
    longer.find((each) => each.startsWith(plain) || oneWordMore(words, each.split('_')))
  )
}

const oneWordMore = (words: readonly string[], more: readonly string[]): boolean =>
  more.length === words.length + 1 && more.some((_, left) => more.toSpliced(left, 1).every((word, i) => word === words[i]))
