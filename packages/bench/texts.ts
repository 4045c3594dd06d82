import { pick, random } from './random.ts'

const words = (text: string): string[] => text.trim().split(/\s*\n\s*|\s*,\s*/)

const FIRST = words(
  'Anna, Ben, Carla, David, Elena, Farid, Grace, Hugo, Ines, Jonas, Keiko, Liam, Mara, Nikhil, Olga, Pedro, Quinn, Rosa, Sven, Tara, Umar, Vera, Wei, Yusuf',
)
const LAST = words(
  'Abbott, Berger, Costa, Dahl, Evans, Fischer, Garcia, Hansen, Ito, Jensen, Kaplan, Lindgren, Moreau, Novak, Okafor, Petrov, Rossi, Schmidt, Tanaka, Weber',
)
const COMPANY = words(
  'Acme, Brightwater, Cobalt, Dunmore, Evergreen, Fairfield, Granite, Harbor, Ironwood, Juniper, Keystone, Lakeside, Meridian, Northgate, Oakridge, Pinnacle',
)
const SORT = words('Corporation, Labs, Logistics, Partners, Systems, Energy, Foods, Robotics')
const PLACE = words(
  'Berlin, Lisbon, Oslo, Toronto, Nairobi, Kyoto, Austin, Lyon, Krakow, Dublin, Seville, Bergen, Osaka, Porto, Ghent, Zurich',
)
const TOPIC =
  words(`the quarterly forecast, the data migration, the billing service, the onboarding guide, the pricing page, the hiring plan,
  the security review, the mobile release, the warehouse lease, the support backlog, the partner contract, the search index,
  the annual budget, the design system, the incident report, the customer survey, the shipping schedule, the training course,
  the privacy policy, the loyalty programme, the payment gateway, the recycling project, the spring campaign, the audit trail`)
const DAY = words('Monday, Tuesday, Wednesday, Thursday, Friday')
const DID = words('moved, reviewed, postponed, finished, questioned, rewrote, approved, measured, described, planned')
const THING = words(
  'a green notebook, black coffee, the early train, short meetings, spreadsheets, phone calls, written notes, long walks, quiet mornings, printed drafts',
)
const WHY = words(`because the numbers did not add up, after a long discussion with the finance team, although nobody had asked for it,
  so that the customers would notice less, before the holidays begin, since the old vendor raised its prices, with help from two new colleagues,
  and promised to send a summary by email, despite the warning from last year, once the tests had passed on every machine`)

/** Made words, so that a text has rare ones as real texts do: names of parts, tickets, places nobody else mentions. */
const SYLLABLE = words('ba, cor, del, fen, gra, hol, jin, kel, lum, mor, nev, pra, qui, ros, sil, tam, ul, ver, wex, zan')
const rare = (next: () => number) => Array.from({ length: 3 }, () => pick(SYLLABLE, next)).join('')

const SENTENCES: ((next: () => number) => string)[] = [
  (n) => `${person(n)} from ${pick(COMPANY, n)} ${pick(SORT, n)} ${pick(DID, n)} ${pick(TOPIC, n)} on ${pick(DAY, n)} ${pick(WHY, n)}.`,
  (n) => `In ${pick(PLACE, n)} we ${pick(DID, n)} ${pick(TOPIC, n)} together with ${person(n)} ${pick(WHY, n)}.`,
  (n) => `${person(n)} prefers ${pick(THING, n)} and works from ${pick(PLACE, n)} on ${pick(DAY, n)}.`,
  (n) => `The part called ${rare(n)} belongs to ${pick(TOPIC, n)} and costs ${Math.floor(n() * 9000) + 100} euros at ${pick(COMPANY, n)}.`,
  (n) => `Ticket ${rare(n)}-${Math.floor(n() * 900) + 100} says that ${person(n)} ${pick(DID, n)} ${pick(TOPIC, n)} ${pick(WHY, n)}.`,
]

const person = (next: () => number) => `${pick(FIRST, next)} ${pick(LAST, next)}`

/** A text of 20 to 60 words with a few names, the same for the same seed. */
export function textOf(seed: number): string {
  const next = random(seed ^ 0x7e47)
  const sentences: string[] = []
  for (let length = 0, wanted = 20 + next() * 22; length < wanted; length = sentences.join(' ').split(' ').length) {
    sentences.push(pick(SENTENCES, next)(next))
  }
  return sentences.join(' ')
}

/** A question of about eight words about what some texts hold. */
export function questionOf(seed: number): string {
  const next = random(seed ^ 0x9e37)
  return `What did ${person(next)} say about ${pick(TOPIC, next)} in ${pick(PLACE, next)}?`
}
