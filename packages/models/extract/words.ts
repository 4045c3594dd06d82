import { createRequire } from 'node:module'
import compromise from 'compromise'
import compromiseDates from 'compromise-dates'
import type { ItsHelpers, Model, WinkMethods } from 'wink-nlp'

// Both are CommonJS whose types say `export default`.
const require = createRequire(import.meta.url)
const winkNLP: (model: Model, pipe: string[]) => WinkMethods = require('wink-nlp')
const wink = winkNLP(require('wink-eng-lite-web-model'), ['sbd', 'pos'])
const its: ItsHelpers = wink.its

compromise.plugin(compromiseDates)

export interface Word {
  /** As written, without a possessive `'s`. */
  text: string
  start: number
  end: number
  /** First of its sentence, where a capital says nothing. */
  first: boolean
  possessive: boolean
  /** What compromise says of it: `FirstName`, `City`, `Organization`, `Verb`, … */
  tags: ReadonlySet<string>
  /** Both taggers or one of them and its spelling say that it is a name or part of one. */
  proper: boolean
}

/** Where everything is large, size says nothing. */
const isShouted = (words: readonly Word[]) => words.filter(({ text }) => /^\p{Lu}{2,}$/u.test(text)).length > Math.max(1, words.length / 2)

interface Term {
  text: string
  tags?: string[]
}

/** Whether people are called so, wherever the word stands. */
export const isFirstName = (word: string): boolean => compromise(word).has('#FirstName')

/** The words of a text by sentence, with where they stand in it, and the dates in it as they are written. */
export function read(text: string): { sentences: Word[][]; dates: string[] } {
  const document = compromise(text) as ReturnType<typeof compromise> & { dates(): { out(as: 'array'): string[] } }
  const properNouns = properNounsOf(text)
  const sentences: Word[][] = []
  let cursor = 0
  for (const sentence of document.json() as { terms: Term[] }[]) {
    const words: Word[] = []
    for (const term of sentence.terms) {
      const start = term.text ? text.indexOf(term.text, cursor) : -1
      if (start < 0) continue
      cursor = start + term.text.length
      words.push(wordOf(term, start, words.length === 0 || isOpening(text, start), properNouns))
    }
    sentences.push(isShouted(words) ? words.map((word) => ({ ...word, proper: false })) : words)
  }
  return { sentences, dates: document.dates().out('array') }
}

const isOpening = (text: string, start: number) =>
  /(?:^|[\n.!?:;"“(—–])\s*$/.test(text.slice(Math.max(0, start - 4), start)) &&
  !/\b\p{L}\.\s$/u.test(text.slice(Math.max(0, start - 4), start))

function wordOf(term: Term, start: number, first: boolean, properNouns: ReadonlySet<number>): Word {
  const bare = term.text.replace(/['’]s?$/iu, '')
  const possessive = bare !== term.text && bare !== ''
  const text = possessive ? bare : term.text
  const tags = new Set(term.tags)
  return { text, start, end: start + text.length, first, possessive, tags, proper: isProper(text, tags, first, properNouns.has(start)) }
}

const NAMED = ['Person', 'Place', 'Organization', 'FirstName', 'LastName', 'Honorific']
const NEVER = [
  'Pronoun',
  'Date',
  'WeekDay',
  'Month',
  'Demonym',
  'Determiner',
  'Preposition',
  'Conjunction',
  'QuestionWord',
  'Expression',
  'Adverb',
  'Auxiliary',
]
/** `I'm`, `OK`, and what people write large without naming anything. */
const NOT_NAMES =
  /^(?:I|I['’]\p{L}+|OK|Ok|Okay|TV|PM|AM|CEO|CTO|CFO|COO|VP|HR|PR|API|UI|UX|FYI|ASAP|LOL|OMG|BTW|IMO|Q[1-4]|Mom|Mum|Dad|God|Thanks|Thank|Congrats|Wow|Hey|Hi|Hello|Dear|Please|Yes|No|Yeah|Yep|Oh|Ah|Well|Sure|Great|Good|Nice|English|Spanish|French|German|Italian|Portuguese|Russian|Chinese|Japanese|Korean|Arabic|Dutch)$/u

function isProper(text: string, tags: ReadonlySet<string>, first: boolean, properNoun: boolean): boolean {
  if (!/^(?:\p{Lu}|\p{Lt}|\p{Ll}\p{Lu})/u.test(text) || NOT_NAMES.test(text)) return false
  const named = NAMED.some((tag) => tags.has(tag))
  if (!named && NEVER.some((tag) => tags.has(tag))) return false
  if (!first) return true
  return named || text === 'Project' || (properNoun && !tags.has('Verb') && !tags.has('Adjective'))
}

/** Where wink's tagger sees proper nouns: it knows no types, but finds names that compromise has never heard of. */
function properNounsOf(text: string): Set<number> {
  const tokens = wink.readDoc(text).tokens()
  const values = tokens.out(its.value) as string[]
  const kinds = tokens.out(its.pos) as string[]
  const found = new Set<number>()
  let cursor = 0
  values.forEach((value, i) => {
    const at = text.indexOf(value, cursor)
    if (at < 0) return
    cursor = at + value.length
    if (kinds[i] === 'PROPN') found.add(at)
  })
  return found
}
