import { normalize } from '../entities/mentions.ts'
import { countTokens, cutToTokens } from '../text/tokens.ts'
import type { Memory } from './memory.ts'

interface Laid {
  text: string
  memoryIds: string[]
  tokens: number
  cut: boolean
}

interface Section {
  title: string
  /** In the order in which they are taken while there is room. */
  memories: readonly Memory[]
  /** In which they then stand. */
  order: (a: Memory, b: Memory) => number
  line: (memory: Memory, now: string) => string
  /** The share of the budget that it may take before the others have had theirs. */
  share: number
}

/** One entry takes no more than this share of the budget, so that one long document does not push everything else out. */
const LONGEST_SHARE = 0.25
const LEAST_LONGEST = 100

const newestFirst = (a: Memory, b: Memory): number =>
  a.occurredAt === b.occurredAt ? (a.id < b.id ? 1 : -1) : a.occurredAt < b.occurredAt ? 1 : -1
const dueFirst = (a: Memory, b: Memory): number => {
  const [x, y] = [a.dueAt ?? '~', b.dueAt ?? '~']
  return x === y ? (a.id < b.id ? -1 : 1) : x < y ? -1 : 1
}

/**
 * Memories as a text for a prompt, of at most `most` tokens: `ranked` best first, `about` beside them. What is promised
 * and what was decided stand before all else, each with up to a quarter of the room. Whatever is taken stands newest
 * first, so that of two that contradict each other a reader meets the one that holds. A memory is one line, whatever it
 * says, so none can pass for the heading of others.
 */
export function layOut(ranked: readonly Memory[], about: readonly Memory[], most: number, now: string): Laid {
  const all = [...new Map([...about, ...ranked].map((memory) => [memory.id, memory])).values()]
  const open = (memory: Memory) => memory.kind === 'commitment' && memory.status === 'open'
  const decided = (memory: Memory) => memory.kind === 'decision'
  const sections: Section[] = [
    { title: '## Open commitments', memories: all.filter(open).sort(dueFirst), order: dueFirst, line: promised, share: 0.25 },
    { title: '## Decisions, newest first', memories: all.filter(decided), order: newestFirst, line: said, share: 0.25 },
    {
      title: '## Memories, newest first: where two disagree, the first holds',
      memories: newerBefore(ranked.filter((memory) => !open(memory) && !decided(memory))),
      order: newestFirst,
      line: said,
      share: 1,
    },
  ]
  const room = { left: most, longest: Math.max(LEAST_LONGEST, Math.floor(most * LONGEST_SHARE)), cut: false }
  const taken = sections.map(() => new Map<Memory, string>())
  // Once by shares, and once more with what these left.
  for (const share of [(section: Section) => section.share, () => 1]) {
    for (const [i, section] of sections.entries())
      take(section, taken[i] as Map<Memory, string>, Math.floor(most * share(section)), room, now)
  }
  const shown = sections.flatMap((section, i) => {
    const lines = taken[i] as Map<Memory, string>
    return lines.size === 0 ? [] : [{ ...section, lines, memories: [...lines.keys()].sort(section.order) }]
  })
  const text = shown.map(({ title, memories, lines }) => [title, ...memories.map((memory) => lines.get(memory))].join('\n')).join('\n\n')
  return {
    text,
    memoryIds: shown.flatMap(({ memories }) => memories.map(({ id }) => id)),
    tokens: countTokens(text),
    cut: room.cut || all.length > taken.reduce((sum, lines) => sum + lines.size, 0),
  }
}

/** Takes what fits into the share and into what is left of all. What is counted line by line is what the text has: each begins with white space. */
function take(
  section: Section,
  taken: Map<Memory, string>,
  share: number,
  room: { left: number; longest: number; cut: boolean },
  now: string,
): void {
  const heading = countTokens(`\n\n${section.title}`)
  let used = 0
  for (const memory of section.memories) {
    if (taken.has(memory)) continue
    const whole = section.line(memory, now)
    const part = cutToTokens(whole, room.longest)
    const line = part.text.length < whole.length ? `${part.text} …` : whole
    const cost = countTokens(`\n${line}`) + (taken.size === 0 ? heading : 0)
    if (cost > room.left || used + cost > share) continue
    if (line !== whole) room.cut = true
    taken.set(memory, line)
    used += cost
    room.left -= cost
  }
}

const flat = (text: string): string => text.replace(/\s+/g, ' ').trim()
const day = (time: string): string => time.slice(0, 10)

function promised({ id, title, content, owner, dueAt }: Memory, now: string): string {
  const due = dueAt ? [`due ${day(dueAt)}${dueAt < now ? ', overdue' : ''}`] : []
  const terms = [...(owner ? [`owner ${owner}`] : []), ...due]
  return flat(`- [${id}] ${title ?? content}${terms.length === 0 ? '' : ` (${terms.join(', ')})`}`)
}

function said({ id, occurredAt, speaker, content, title, rationale, name, description }: Memory): string {
  const [head, rest] = [title ?? name, rationale ?? description]
  const text = head !== undefined && rest !== undefined ? `${head}: ${rest}` : content
  return flat(`- [${id}] ${day(occurredAt)} ${speaker ? `${speaker}: ` : ''}${text}`)
}

/**
 * The same order, but whoever is taken brings what was said since: a newer memory that relates the same entity in the
 * same way to another one goes before the older.
 */
function newerBefore(ranked: readonly Memory[]): Memory[] {
  const claimants = new Map<string, { memory: Memory; to: string }[]>()
  for (const memory of ranked) {
    for (const { what, to } of claimsOf(memory)) claimants.set(what, [...(claimants.get(what) ?? []), { memory, to }])
  }
  const order = new Set<Memory>()
  const add = (memory: Memory): void => {
    if (order.has(memory)) return
    for (const { what, to } of claimsOf(memory)) {
      for (const other of claimants.get(what) ?? []) if (other.to !== to && other.memory.occurredAt > memory.occurredAt) add(other.memory)
    }
    order.add(memory)
  }
  for (const memory of ranked) add(memory)
  return [...order]
}

/** Of a memory that says more than this the first few are looked at. */
const CLAIMS = 20

const claimsOf = ({ relations }: Memory): { what: string; to: string }[] =>
  relations.slice(0, CLAIMS).map(({ from, type, to }) => ({ what: JSON.stringify([normalize(from.value), type]), to: normalize(to.value) }))
