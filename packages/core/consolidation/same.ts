/**
 * Whether two texts say the same, as far as words can tell. A vector puts "meets at 3" beside "meets at 4", "allergic" beside
 * "not allergic", "Ann pays Bob" beside "Bob pays Ann" and, the longer the texts, any word beside any other: so words
 * decide, and a vector only confirms. In doubt two texts are two.
 */

/**
 * The text without what is only how it is written: case, runs of white space, composed and decomposed letters, curly
 * quotes, and full stops, exclamation marks and ellipses at the end. A question mark stays: to ask is not to state. Nor
 * is 10² made 102, as NFKC would.
 */
export function plain(text: string): string {
  const even = evenly(text).toLowerCase().replace(CURLY, '"').replace(/\s+/g, ' ').trim()
  return even.replace(/[\s.!\u2026\u3002]+$/u, '') || even
}

/** “, ” and „. */
const CURLY = /[\u201C-\u201E]/g

/** ‘, ’ and ʼ. */
const APOSTROPHE = /[\u2018\u2019\u02BC]/g

const evenly = (text: string): string => text.normalize('NFC').replace(APOSTROPHE, "'")

/**
 * `same`: the same text but for how it is written. `alike`: the same words in the same order but for such as carry
 * nothing. `different`: nothing can make them one.
 */
export type Likeness = 'same' | 'alike' | 'different'

export function likeness(a: string, b: string): Likeness {
  if (plain(a) === plain(b)) return 'same'
  const [left, right] = [gist(a), gist(b)]
  return left.length > 0 && left.join(' ') === right.join(' ') ? 'alike' : 'different'
}

/** The numbers of a text, in their order. */
export const figures = (text: string): string =>
  gist(text)
    .filter((word) => /\p{N}/u.test(word))
    .join(' ')

const listed = (words: string): string[] => words.trim().split(/\s+/)

/** What carries nothing by itself. Of the forms of `to be` only those of the present: `was` says that it is over. */
const EMPTY = new Set(listed('a an the is are be been being that very really quite also and'))

/** One word for several that mean the same in any sentence. */
const ONE = new Map([
  ...listed('zero one two three four five six seven eight nine ten eleven twelve').map((word, n): [string, string] => [word, String(n)]),
  ...listed(`resides lives reside live residing living purchased bought purchases buys purchase buy begins starts begin start beginning starting
    physician doctor physicians doctors automobile car automobiles cars bicycle bike bicycles bikes cellphone phone television tv photograph photo
    photographs photos okay ok mom mother mum mother dad father kids children kid child scared afraid`).flatMap(
    (word, i, all): [string, string][] => (i % 2 ? [] : [[word, all[i + 1] as string]]),
  ),
])

/** Words, numbers with what belongs to them, and signs that count: `€`, `+`, `?`, emoji. */
const WORD =
  /\p{L}[\p{L}\p{M}\p{N}]*|(?:(?<![\p{L}\p{N}])[-\u2212])?\p{N}+(?:[.,:/-]\p{N}+)*[\p{L}\p{M}]*|[\p{S}\p{Extended_Pictographic}?#%&@*]/gu

/** The words that carry something, in their order, each in one spelling. */
function gist(text: string): string[] {
  const spelt = evenly(text)
    // A letter by name (vitamin A), and no article.
    .replace(/(?<=\p{L} )A\b/gu, 'A_')
    .toLowerCase()
    .replace(/\bcan(?:'t|not)\b/g, 'can not')
    .replace(/\bwon't\b/g, 'will not')
    .replace(/n't\b/g, ' not')
    .replace(/'(?:s|re)\b/g, '')
    .replace(/'m\b/g, ' am')
    .replace(/'ll\b/g, ' will')
    .replace(/'ve\b/g, ' have')
    .replace(/\ba_/g, 'letter a letter')
  return [...spelt.matchAll(WORD)].flatMap(([word]) => (EMPTY.has(word) ? [] : [ONE.get(word) ?? word]))
}
