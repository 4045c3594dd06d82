import { isFirstName, type Word } from './words.ts'

export type EntityKind = 'person' | 'organization' | 'place' | 'project' | 'product' | 'event' | 'date' | 'other'

/** A run of words that name one thing, and what stands around it. */
export interface Name {
  value: string
  start: number
  end: number
  words: readonly Word[]
  /** The text of its sentence before and after it. */
  before: string
  after: string
}

export interface Verdict {
  type: EntityKind
  confidence: number
}

const WHERE = /\b(?:in|at|to|near|through|around|across|of|visit|visited|over|past)(?: the)? $/iu

const list = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/))

const ORGANIZATIONS_END = list(`
  Inc Incorporated Corp Corporation Co Company GmbH AG SE SA SAS BV NV Oy AB ASA Ltd Limited LLC LLP PLC plc Group Holdings Partners
  Ventures Capital Labs Laboratory Laboratories Technologies Systems Solutions Software Studio Studios Industries Logistics Consulting
  Robotics Pharmaceuticals Pharma Biotech Energy Airlines Airways Motors Insurance Properties Records Press Media Bank Foundation
  University College Institute Academy School Hospital Clinic Association Society Union Ministry Department Agency Authority Commission
  Committee Council Orchestra Museum Gallery Library Theatre Theater Cinema Church Hotel Restaurant Café Cafe Coffee Bakery Brewery
  Winery Mill Mills Farm Brothers Bros Sons Components Electronics Instruments Foods Publishing Networks Telecom Entertainment Pictures`)
const ORGANIZATIONS_START = list(`
  University Bank Institute Ministry Department Academy Museum Hotel Café Cafe Universität Université Universidad Hochschule Banco Banque`)
const EVENTS_END = list(`
  Conference Conf Summit Festival Fest Marathon Hackathon Workshop Meetup Expo Olympics Cup Awards Championship Championships Symposium
  Congress Forum Fair`)
const EVENT = /\p{L}{2}(?:Con|Conf|Fest)(?: \d{2,4})?$/u
const PLACES_END = list(`
  Street Avenue Road Boulevard Square River Island Islands Mountain Mountains Valley Bay Beach Airport Station Harbor Harbour Canyon Coast
  County City Falls`)
/** These end names of people as well. */
const PLACES_OR_SURNAMES = list('Park Lake Hill Hills Lane Bridge Forest Castle')
const PLACES_START = list('Lake Mount Mt Port Cape Gulf Isle San Santa Saint St New North South East West El Los Las')
const HONORIFICS = list(`
  Mr Mrs Ms Mx Dr Doctor Prof Professor Sir Dame Rev Father Sister Captain Judge Senator President Chancellor Aunt Auntie Uncle Grandma
  Grandpa Herr Frau Señor Señora Madame Monsieur`)
/** Alone more often a date than a girl. */
const MONTHS = list('January February March April May June July August September October November December')

const KIN =
  'friend|wife|husband|partner|fiancée?|girlfriend|boyfriend|brother|sister|son|daughter|mother|father|mom|mum|dad|cousin|niece|nephew|aunt|uncle|boss|manager|colleague|coworker|co-worker|teammate|neighbou?r|roommate|flatmate|mentor|teacher|therapist|coach|landlord|landlady|doctor|dentist|designer|engineer|developer|lawyer|accountant|assistant|intern|cofounder|co-founder|founder|director|CEO|CTO|CFO|COO'
const PERSON_BEFORE = new RegExp(
  `(?:\\b(?:${KIN}),? |\\b(?:named|called|with|hired|told|asked|met|meet|meeting|thank|thanks|thanked|hi|hey|hello|dear|congratulate|congrats|emailed|texted|phoned|invited|married|ping|introduced|remind|interviewed|invite|tell|ask|(?:talk|talked|speak|spoke|spoken|write|wrote) (?:to|with)) (?:up with )?)$`,
  'iu',
)
const KIN_BEFORE = new RegExp(
  `\\b(?:my|our|his|her|their|\\p{L}+['’]s|the|a|an|new|old|best|older|younger|little|big) (?:\\p{L}+ )?(?:${KIN}),? $|\\b(?:named|hi|hey|hello|dear|thanks|thank you),? $`,
  'iu',
)
const PERSON_AFTER =
  /^(?:,? (?:and I\b|who )|,? (?:said|says|told|asked|asks|thinks|thought|wants|wanted|suggested|suggests|loves|loved|likes|liked|hates|feels|felt|agreed|agrees|replied|wrote|mentioned|believes|promised|insisted|explained|called|texted|emailed|lives|lived|married|hired|resigned|studies|studied|teaches|taught|plays|joined|works|worked|quit|retired|remembers|knows|hopes|prefers|reminded|offered|volunteered|cooked|baked|turned \d+|got \p{L}+ed|is (?:\d+ years|allergic|married|pregnant|engaged))\b|,? (?:the |our |their |its |an? )?(?:new |former |current )?(?:CEO|CTO|CFO|COO|founder|co-?founder|director|head|president|chair|manager|vice president|VP|lead)\b|,? \d{1,2},(?= ))/iu
const WORK_BEFORE =
  /\b(?:work(?:s|ed|ing)?(?: \p{L}+){0,3} (?:at|for|with)|(?:job|role|position|offer|internship|interview(?:ed|s|ing)?|intern(?:ed)?|employed|engineer|developer|designer|manager|analyst|nurse|consultant|CEO|CTO|CFO|COO|founder|director|head|partner|colleagues?|team|people|folks) (?:at|from|of|with)|join(?:s|ed|ing)?|(?:invest(?:s|ed)? in|acquired(?: by)?|hired by|contract with|deal with|client|customer|vendor|supplier|startup|company|firm|start(?:ed|ing|s)? at))(?: the)? $/iu
const PLACE_BEFORE =
  /\b(?:(?:live|lives|lived|living|born|based|grew up|raised|headquartered|office|offices|apartment|flat|house|hotel|stay(?:ed|ing|s)?|arrived?|landed) in|(?:mov(?:e|es|ed|ing)|relocat(?:e|es|ed|ing)|fl(?:y|ies|ew|ying)|travel(?:s|led|ed|ling|ing)?|driv(?:e|es|ing)|drove|trip|train|flight|move|back|went|going) (?:back |over |down |up )?(?:to|from)|visit(?:s|ed|ing)?)(?: the)? $/iu
const PRODUCT_BEFORE =
  /\b(?:us(?:e|es|ed|ing)|switch(?:ed|ing)?(?: over)? to|migrat(?:e|ed|ing)(?: \p{L}+)? (?:to|from)|install(?:ed|ing)?|upgrad(?:e|ed|ing) to|built (?:on|with)|runs? on|written in|rewrite in)(?: the| a| an)? $/iu

const has = (word: Word | undefined, ...tags: string[]) => word !== undefined && tags.some((tag) => word.tags.has(tag))

/** What a name names, from the strongest sign to the weakest. `first` holds the first names of people known here. */
export function classify(name: Name, firstNames: ReadonlySet<string>): Verdict | null {
  if (HONORIFICS.has(name.value) || (MONTHS.has(name.value) && !firstNames.has(name.value))) return null
  return byForm(name) ?? byPlace(name) ?? byAcquaintance(name, firstNames) ?? byTags(name) ?? bySurroundings(name) ?? unknown(name)
}

function byForm({ value, words, before, after }: Name): Verdict | null {
  const head = words[0]?.text ?? ''
  const last = words.findLast((word) => !/^\d+$/.test(word.text))?.text ?? ''
  const long = words.length > 1
  if (long && head === 'Project') return { type: 'project', confidence: 0.9 }
  if (/\bproject $/iu.test(before) || /^ project\b/iu.test(after)) return { type: 'project', confidence: 0.8 }
  if (EVENT.test(value) || (long && EVENTS_END.has(last))) return { type: 'event', confidence: 0.85 }
  if (long && (ORGANIZATIONS_END.has(last) || ORGANIZATIONS_START.has(head))) return { type: 'organization', confidence: 0.95 }
  if (long && HONORIFICS.has(head)) return { type: 'person', confidence: 0.95 }
  if (value.includes(' & ')) return { type: 'organization', confidence: 0.75 }
  return null
}

function byPlace({ words, before }: Name): Verdict | null {
  if (words.every((word) => has(word, 'Place')) && !isSurname(words.at(-1))) return { type: 'place', confidence: 0.85 }
  if (words.length === 1) return null
  const [head, last] = [words[0] as Word, words.at(-1) as Word]
  if (PLACES_END.has(last.text)) return { type: 'place', confidence: 0.85 }
  if (isSurname(last)) {
    const place = WHERE.test(before) || !isFirstName(head.text)
    return place ? { type: 'place', confidence: 0.8 } : { type: 'person', confidence: 0.75 }
  }
  if (PLACES_START.has(head.text) && !words.some((word) => has(word, 'Person', 'Organization'))) return { type: 'place', confidence: 0.75 }
  return null
}

const isSurname = (word: Word | undefined) => PLACES_OR_SURNAMES.has(word?.text ?? '')

function byAcquaintance({ words }: Name, firstNames: ReadonlySet<string>): Verdict | null {
  return firstNames.has(words[0]?.text ?? '') && words.length <= 3 ? { type: 'person', confidence: 0.9 } : null
}

function byTags({ value, words, before }: Name): Verdict | null {
  if (/\p{L}{3}bank\b/u.test(value)) return { type: 'organization', confidence: 0.8 }
  if (has(words[0], 'FirstName') && !PLACE_BEFORE.test(before) && !WORK_BEFORE.test(before) && words.length <= 4)
    return { type: 'person', confidence: words.length > 1 ? 0.9 : 0.8 }
  if (words.every((word) => has(word, 'Organization'))) return { type: 'organization', confidence: 0.8 }
  return null
}

function bySurroundings(name: Name): Verdict | null {
  const { words, before, after } = name
  const plain = words.length <= 3 && words.every((word) => /^\p{Lu}[\p{Ll}\p{M}'’-]+/u.test(word.text) || /^\p{Lu}\.?$/u.test(word.text))
  if (plain && KIN_BEFORE.test(before)) return { type: 'person', confidence: 0.8 }
  if (WORK_BEFORE.test(before)) return { type: 'organization', confidence: 0.75 }
  if (PLACE_BEFORE.test(before)) return { type: 'place', confidence: 0.7 }
  if (PRODUCT_BEFORE.test(before)) return { type: 'product', confidence: 0.6 }
  if (plain && (PERSON_AFTER.test(after) || PERSON_BEFORE.test(before))) return { type: 'person', confidence: 0.7 }
  if (plain && words.some((word) => has(word, 'Person', 'LastName'))) return { type: 'person', confidence: 0.6 }
  if (words.some((word) => has(word, 'Place'))) return { type: 'place', confidence: 0.6 }
  if (/\p{Lu}\p{L}+ at $/u.test(before)) return { type: 'organization', confidence: 0.6 }
  if (plain && / in $/u.test(before)) return { type: 'place', confidence: 0.55 }
  return null
}

/** A name of something: worth a connection, not worth a guess. */
function unknown({ words, value }: Name): Verdict | null {
  if (words.every((word) => word.first) || /^\p{Lu}{1,2}$/u.test(value)) return null
  return { type: 'other', confidence: 0.4 }
}
