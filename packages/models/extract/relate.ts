import type { ExtractedRelation } from '@twofold/core/ports.ts'
import type { Mention } from './find.ts'

interface Pattern {
  from: string
  to: string
  /** What stands between the two names, and nothing else. */
  between: RegExp
  type: string | ((match: RegExpExecArray) => string)
  reversed?: true
  confidence: number
}

const ROLE = '(?:the |our |its |an? )?(?:new |current )?(CEO|CTO|CFO|COO|founder|co-?founder|director|head|president|chair|manager|owner)'
const PATTERNS: Pattern[] = [
  {
    from: 'person',
    to: 'organization',
    between: /^,?(?: who)?(?: now| also| still| currently)? (?:works|is working)(?: as [\p{L} ]{1,40}?)? (?:at|for)(?: the)? $/u,
    type: 'works_at',
    confidence: 0.9,
  },
  {
    from: 'person',
    to: 'organization',
    between: /^ (?:has |just |has just |recently )?joined(?: the)? $/u,
    type: 'works_at',
    confidence: 0.75,
  },
  {
    from: 'person',
    to: 'organization',
    between: /^,?(?: who)?(?: once)? (?:worked|used to work)(?: as [\p{L} ]{1,40}?)? (?:at|for)(?: the)? $/u,
    type: 'worked_at',
    confidence: 0.85,
  },
  {
    from: 'person',
    to: 'organization',
    between: new RegExp(`^(?:,| is| became|, who is) ${ROLE} (?:of|at)(?: the)? $`, 'u'),
    type: (match) => `${(match[1] as string).toLowerCase().replace('-', '')}_of`,
    confidence: 0.9,
  },
  { from: 'person', to: 'organization', between: /^ from(?: the)? $/u, type: 'affiliated_with', confidence: 0.7 },
  {
    from: 'person',
    to: 'place',
    between: /^,?(?: who)?(?: now| still| currently)? (?:lives|is living|is based|has moved to|moved to)(?: in)?(?: the)? $/u,
    type: 'lives_in',
    confidence: 0.85,
  },
  {
    from: 'person',
    to: 'place',
    between: /^,?(?: who)? (?:was born in|is from|comes from|grew up in)(?: the)? $/u,
    type: 'comes_from',
    confidence: 0.85,
  },
  {
    from: 'organization',
    to: 'place',
    between: /^,?(?: which)?(?: is)? (?:based|headquartered|located) in(?: the)? $/u,
    type: 'located_in',
    confidence: 0.85,
  },
  {
    from: 'person',
    to: 'person',
    between: /^(?:,| is| was)? (?:married to|married|is engaged to) $/u,
    type: 'married_to',
    confidence: 0.85,
  },
  {
    from: 'person',
    to: 'person',
    between:
      /^['’]s (?:older |younger |little |big |best |new )?(wife|husband|partner|brother|sister|son|daughter|mother|father|cousin|boss|manager|friend|mentor),? $/u,
    type: (match) => `${match[1]}_of`,
    reversed: true,
    confidence: 0.9,
  },
]

/** Relations whose wording leaves no doubt; a question or a `not` between the two names matches none. */
export function relate(text: string, mentions: readonly Mention[]): ExtractedRelation[] {
  const found = new Map<string, ExtractedRelation>()
  mentions.slice(1).forEach((right, i) => {
    const left = mentions[i] as Mention
    const between = text.slice(left.end, right.start)
    if (between.length > 80) return
    for (const pattern of PATTERNS) {
      if (pattern.from !== left.type || pattern.to !== right.type) continue
      const match = pattern.between.exec(between)
      if (!match) continue
      const [from, to] = pattern.reversed ? [right, left] : [left, right]
      const type = typeof pattern.type === 'string' ? pattern.type : pattern.type(match)
      const end = ({ type, value }: Mention) => ({ type, value })
      found.set(`${from.value}\n${type}\n${to.value}`, { from: end(from), type, to: end(to), confidence: pattern.confidence })
      break
    }
  })
  return [...found.values()]
}
