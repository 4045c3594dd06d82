import type { Word } from './words.ts'

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

const ORG_END =
  /(?:^|\s)(?:Inc|Incorporated|Corp|Corporation|Co|Company|GmbH|AG|SE|SA|S\.A|SAS|BV|B\.V|NV|Oy|AB|ASA|Ltd|Limited|LLC|LLP|PLC|plc|University|College|Institute|Academy|School|Hospital|Clinic|Bank|Foundation|Association|Society|Union|Ministry|Department|Agency|Authority|Commission|Committee|Council|Group|Holdings|Partners|Ventures|Capital|Labs|Laboratories|Laboratory|Technologies|Systems|Solutions|Software|Studios?|Industries|Logistics|Consulting|Robotics|Pharmaceuticals|Pharma|Biotech|Energy|Airlines|Airways|Motors|Insurance|Records|Press|Media|Orchestra|Museum|Gallery|Library|Bakery|Brewery|Coffee|Café|Cafe|Restaurant)\.?$/u
const ORG_START = /^(?:University|Bank|Institute|Ministry|Department|Academy|Museum|Universität|Université|Banco|Banque|Hochschule) /u
const PLACE_END =
  /\s(?:Street|Avenue|Road|Boulevard|Lane|Square|Lake|River|Park|Island|Islands|Mountains?|Hills?|Valley|Bay|Beach|Airport|Station|Bridge|Harbou?r|Canyon|Forest|Coast|County|City|Falls|Castle)$/u
const PLACE_START = /^(?:Lake|Mount|Mt\.?|Port|Cape|Gulf|Isle|San|Santa|Saint|St\.?|New|North|South|East|West|El|Los|Las) \p{Lu}/u
const EVENT_END =
  /(?:^\p{Lu}.*\s(?:Conference|Conf|Summit|Festival|Fest|Marathon|Hackathon|Workshop|Meetup|Expo|Olympics|Cup|Awards|Championships?|Symposium|Congress|Week|Forum|Fair)|\p{L}(?:Con|Conf|Fest))(?: (?:19|20)\d\d)?$/u
const HONORIFIC =
  /^(?:Mr|Mrs|Ms|Mx|Dr|Prof|Professor|Doctor|Sir|Dame|Rev|Father|Sister|Captain|Judge|Senator|President|Chancellor|Aunt|Auntie|Uncle|Grandma|Grandpa|Herr|Frau|Señor|Señora|Madame|Monsieur)\.?\s/u

const KIN =
  'friend|wife|husband|partner|fiancée?|girlfriend|boyfriend|brother|sister|son|daughter|mother|father|mom|mum|dad|cousin|niece|nephew|aunt|uncle|boss|manager|colleague|coworker|co-worker|teammate|neighbou?r|roommate|flatmate|mentor|teacher|therapist|coach|landlord|landlady|doctor|dentist|designer|engineer|developer|lawyer|accountant|assistant|intern|cofounder|co-founder|founder|director|CEO|CTO|CFO|COO'
const PERSON_BEFORE = new RegExp(
  `(?:\\b(?:${KIN}),? |\\b(?:named|called|with|and|hired|told|asked|met|meet|meeting|thank|thanks|thanked|hi|hey|hello|dear|congratulate|congrats|emailed|texted|phoned|invited|married|ping|introduced|remind|interviewed|invite|tell|ask) (?:up with )?)$`,
  'iu',
)
const KIN_BEFORE = new RegExp(
  `\\b(?:my|our|his|her|their|\\p{L}+['’]s|the|a|an|new|old|best|older|younger|little|big) (?:\\p{L}+ )?(?:${KIN}),? $|\\b(?:named|hi|hey|hello|dear|thanks|thank you),? $`,
  'iu',
)
const PERSON_AFTER =
  /^(?:,? (?:and I\b|who )|,? (?:said|says|told|asked|asks|thinks|thought|wants|wanted|suggested|suggests|loves|loved|likes|liked|hates|feels|felt|agreed|agrees|replied|wrote|mentioned|believes|promised|insisted|explained|called|texted|emailed|lives|lived|married|hired|resigned|studies|studied|teaches|taught|plays|joined|works|worked|quit|retired|remembers|knows|hopes|prefers|reminded|offered|volunteered|cooked|baked|turned \d+|is (?:\d+ years|allergic|married|pregnant|engaged))\b|,? (?:the |our |their |its |an? )?(?:new |former |current )?(?:CEO|CTO|CFO|COO|founder|co-?founder|director|head|president|chair|manager|vice president|VP|lead)\b|,? \d{1,2},)/iu
const WORK_BEFORE =
  /\b(?:work(?:s|ed|ing)?(?: \p{L}+){0,3} (?:at|for|with)|(?:job|role|position|offer|internship|interview(?:ed|s|ing)?|intern(?:ed)?|employed|engineer|developer|designer|manager|analyst|nurse|consultant|CEO|CTO|CFO|COO|founder|director|head|partner|colleagues?|team|people|folks) (?:at|from|of|with)|join(?:s|ed|ing)?|(?:invest(?:s|ed)? in|acquired(?: by)?|hired by|contract with|deal with|client|customer|vendor|supplier|startup|company|firm|start(?:ed|ing|s)? at))(?: the)? $/iu
const PLACE_BEFORE =
  /\b(?:(?:live|lives|lived|living|born|based|grew up|raised|headquartered|office|offices|apartment|flat|house|hotel|stay(?:ed|ing|s)?|arrived?|landed) in|(?:mov(?:e|es|ed|ing)|relocat(?:e|es|ed|ing)|fl(?:y|ies|ew|ying)|travel(?:s|led|ed|ling|ing)?|driv(?:e|es|ing)|drove|trip|train|flight|move|back|went|going) (?:back |over |down |up )?(?:to|from)|visit(?:s|ed|ing)?)(?: the)? $/iu
const PRODUCT_BEFORE =
  /\b(?:us(?:e|es|ed|ing)|switch(?:ed|ing)?(?: over)? to|migrat(?:e|ed|ing)(?: \p{L}+)? (?:to|from)|install(?:ed|ing)?|upgrad(?:e|ed|ing) to|built (?:on|with)|runs? on|written in|rewrite in)(?: the| a| an)? $/iu

const has = (word: Word | undefined, ...tags: string[]) => word !== undefined && tags.some((tag) => word.tags.has(tag))

/** What a name names, from the strongest sign to the weakest. `first` holds the first names of people known here. */
export function classify(name: Name, firstNames: ReadonlySet<string>): Verdict | null {
  return byForm(name, firstNames) ?? byPlace(name) ?? byTags(name) ?? bySurroundings(name) ?? unknown(name)
}

function byForm({ value, words, before, after }: Name, firstNames: ReadonlySet<string>): Verdict | null {
  const head = words[0] as Word
  if (words.length > 1 && /^Project /u.test(value)) return { type: 'project', confidence: 0.9 }
  if (/\bproject $/iu.test(before) || /^ project\b/iu.test(after)) return { type: 'project', confidence: 0.8 }
  if (EVENT_END.test(value)) return { type: 'event', confidence: 0.85 }
  if (words.length > 1 && (ORG_END.test(value) || ORG_START.test(value))) return { type: 'organization', confidence: 0.95 }
  if (firstNames.has(head.text) && words.length <= 3) return { type: 'person', confidence: 0.9 }
  if (words.length > 1 && HONORIFIC.test(value)) return { type: 'person', confidence: 0.95 }
  return null
}

function byPlace({ value, words }: Name): Verdict | null {
  if (PLACE_END.test(value)) return { type: 'place', confidence: 0.85 }
  if (PLACE_START.test(value) && !words.some((word) => has(word, 'Person', 'Organization'))) return { type: 'place', confidence: 0.75 }
  return null
}

function byTags(name: Name): Verdict | null {
  const { words, before } = name
  const [head] = words
  if (words.every((word) => has(word, 'Place'))) return { type: 'place', confidence: 0.85 }
  if (has(head, 'FirstName') && !PLACE_BEFORE.test(before) && !WORK_BEFORE.test(before) && words.length <= 4)
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
  if (words.some((word) => has(word, 'Place', 'City', 'Country'))) return { type: 'place', confidence: 0.6 }
  return null
}

/** A name of something: worth a connection, not worth a guess. */
function unknown({ words, value }: Name): Verdict | null {
  if (words.every((word) => word.first) || /^\p{Lu}{1,2}$/u.test(value)) return null
  return { type: 'other', confidence: 0.4 }
}
