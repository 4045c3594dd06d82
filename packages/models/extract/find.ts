import type { ExtractedEntity, ExtractedRelation } from '@twofold/core/ports.ts'
import { classify, type Name, type Verdict } from './classify.ts'
import { relate } from './relate.ts'
import { read, type Word } from './words.ts'

export interface Found {
  entities: ExtractedEntity[]
  relations: ExtractedRelation[]
}

export interface Mention extends Name, Verdict {}

/**
 * Names and dates in an English text and a few relations between them, by two taggers and rules about what stands around
 * a name. `known` names (participants, entities of the subject) are recognised wherever they stand. Values are as
 * written; the first of each comes first. Odd text finds nothing, and is never an error.
 */
export function find(given: string, known: readonly string[] = []): Found {
  const text = clean(given)
  if (!/\p{L}/u.test(text)) return { entities: [], relations: [] }
  const { sentences, dates } = read(prose(text))
  const people = firstNamesOf(known)
  const names = sentences.flatMap((words) => namesIn(text, words))
  const mentions = [...typed(names, people), ...knownIn(text, known, names)].sort((a, b) => a.start - b.start)
  const entities = entitiesOf(mentions)
  // The year of PyCon 2025 is part of its name.
  const others = datesOf(dates, text).filter(({ value }) => !entities.some((entity) => entity.value.includes(value)))
  return { entities: [...entities, ...others], relations: relate(text, mentions) }
}

/** Without what no value may hold. Keeps the length, so that places in it stay. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.toWellFormed().replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/g, ' ')
}

/** Addresses and other long tokens hold no names, and the tagger takes seconds for some of them: 7 s for 8,000 characters of one. */
const prose = (text: string) => text.replace(/https?:\/\/\S+|\S{100,}/gu, (token) => ' '.repeat(token.length))

/** How much of what stands around a name the rules look at: a text without full stops must not cost the square of its length. */
const NEAR = 80

/** Runs of names: joined by one space, by an initial's dot, or by the small words inside names. */
function namesIn(text: string, words: readonly Word[]): Name[] {
  const runs: Word[][] = []
  let i = 0
  while (i < words.length) {
    if (!words[i]?.proper) {
      i += 1
      continue
    }
    const run = [words[i] as Word]
    for (let next = joined(text, words, i); next > 0; next = joined(text, words, i)) {
      run.push(...words.slice(i + 1, next + 1))
      i = next
    }
    runs.push(run)
    i += 1
  }
  const from = words[0]?.start ?? 0
  const to = words.at(-1)?.end ?? 0
  return runs.map((run) => {
    const start = (run[0] as Word).start
    const end = (run.at(-1) as Word).end
    return {
      value: text.slice(start, end),
      start,
      end,
      words: run,
      before: text.slice(Math.max(from, start - NEAR), start),
      after: text.slice(end, Math.min(to, end + NEAR)),
    }
  })
}

const HEADS = /^(?:University|Bank|Institute|Ministry|Department|Academy|Museum|College|School|Gulf|Isle|Bay|City|House|Church|Republic)$/u

const SMALL = /^(?:of|de|da|di|do|du|del|dos|van|von|der|den|la|le|al|bin|&)$/
const SMALLER = /^(?:the|la|der|den)$/
const NUMBERED = /(?:Con|Conf|Fest|Summit|Marathon|iPhone|Pixel|Windows)$/

/** The index of the word that carries on the name whose last word so far is `at`, or 0. */
function joined(text: string, words: readonly Word[], at: number): number {
  const word = words[at] as Word
  const next = words[at + 1]
  if (!next || word.possessive) return 0
  const gap = text.slice(word.end, next.start)
  const dotted = gap === '. ' && (word.text.length === 1 || word.tags.has('Honorific'))
  if (gap !== ' ' && gap !== '-' && gap !== ' & ' && !dotted) return 0
  if (next.proper || (/^\d{1,4}$/.test(next.text) && NUMBERED.test(word.text))) return at + 1
  if (!SMALL.test(next.text) || (next.text === 'of' && !HEADS.test(word.text))) return 0
  const after = SMALLER.test(words[at + 2]?.text ?? '') ? at + 3 : at + 2
  return words[after]?.proper ? after : 0
}

/** The same name has one type in a text: the surest that any of its mentions gives. */
function typed(names: readonly Name[], firstNames: ReadonlySet<string>): Mention[] {
  const best = new Map<string, Verdict>()
  const offer = (value: string, verdict: Verdict) => {
    if (verdict.confidence > (best.get(value)?.confidence ?? 0)) best.set(value, verdict)
  }
  for (const name of names) {
    const verdict = classify(name, firstNames)
    if (verdict) offer(name.value, verdict)
    if (verdict?.type === 'person') for (const word of name.words.slice(0, 1)) offer(word.text, { ...verdict, confidence: 0.6 })
  }
  return names.flatMap((name) => {
    const verdict = best.get(name.value)
    return verdict ? [{ ...name, ...verdict }] : []
  })
}

const looksPersonal = (name: string) => /^(?:[\p{Lu}\p{Lo}][^\s\d]*)(?:\s(?:[\p{Lu}\p{Lo}]\S*|van|von|de|der|la|bin|al)){0,3}$/u.test(name)

/** First names of known people. */
function firstNamesOf(known: readonly string[]): Set<string> {
  return new Set(known.filter(looksPersonal).map((name) => name.split(/\s/u)[0] as string))
}

/** Known names that the taggers did not see as names. */
function knownIn(text: string, known: readonly string[], names: readonly Name[]): Mention[] {
  return known.flatMap((value) => {
    if (!looksPersonal(value)) return []
    const start = text.search(new RegExp(`(?<![\\p{L}\\p{N}])${RegExp.escape(value)}(?![\\p{L}\\p{N}])`, 'u'))
    if (start < 0 || names.some((name) => name.start <= start && start < name.end)) return []
    const end = start + value.length
    return [{ value, start, end, words: [], before: '', after: '', type: 'person' as const, confidence: 0.9 }]
  })
}

function entitiesOf(mentions: readonly Mention[]): ExtractedEntity[] {
  const entities = new Map<string, ExtractedEntity>()
  for (const { type, value, confidence } of mentions) {
    const key = `${type}\n${value.toLowerCase()}`
    if (value.length <= 500 && !entities.has(key)) entities.set(key, { type, value, confidence, source: 'embedded' })
  }
  return [...entities.values()]
}

const MONTHS =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?'
const DATED = new RegExp(
  `\\b(?:${MONTHS}|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|q[1-4]|(?:19|20)\\d\\d|christmas|easter|halloween|thanksgiving)\\b`,
  'iu',
)
/** Between what the tagger takes for one date and what people would call two, or none and one. */
const BETWEEN =
  /(?:^|\s)(?:about|around|in|on|by|since|from|until|till|at|for|before|after|during|between|and|to|every|each)\s+(?:the\s+)?/iu
/** Verbs and months at once. */
const AMBIGUOUS = /^(?:may|march|mar|sun|sat)$/u

/** Dates that say when: `today` and `last week` would connect memories that have nothing in common. */
function datesOf(dates: readonly string[], text: string): ExtractedEntity[] {
  const values = dates.flatMap((date) => date.split(BETWEEN)).map((date) => date.replace(/^[\s\p{P}]+|[\s\p{P}]+$/gu, ''))
  const telling = [...new Set(values)].filter(
    (value) => DATED.test(value) && !AMBIGUOUS.test(value) && value.length <= 60 && text.includes(value),
  )
  return telling.map((value) => ({ type: 'date', value, confidence: /\d/.test(value) ? 0.9 : 0.7, source: 'embedded' }))
}
