import { Refusal } from '@twofold/operation/refusal.ts'
import { blocksOf, linesOf } from './blocks.ts'
import { sha256 } from './document.ts'

/** In characters. The embedded model reads the first thousand of a text, the path and the overlap among them. */
const LEAST = 400
const MOST = 800
const OVERLAP = 120
const MOST_OF_A_HEADING = 80
export const MOST_CHUNKS = 20_000

/** What one memory is made of. */
export interface Chunk {
  position: number
  /** Of its content, by which it is known again. */
  hash: string
  /** Title and headings, the end of what stands before it, and its own text. */
  content: string
  /** The headings that it stands under, the outermost first. */
  headings: string[]
}

/**
 * Cuts a document into chunks of some 400 to 800 characters: at headings always, else between blocks, lines of code or
 * sentences. Where exactly, the text itself decides: of the places that are possible the one whose text before it has the
 * lowest hash. So an edit moves the cuts around it and no others, and only those chunks are new. Splitters pack from the
 * beginning: of a log of 4,000 lines with one line more 434 of 445 chunks were new with them (llm-splitter,
 * @langchain/textsplitters), and are 2 of 496 here. A passage that stands twice is one chunk. Refuses `too_large` above
 * 20,000 chunks.
 */
export function chunksOf({ title, content, markdown }: { title: string; content: string; markdown: boolean }): Chunk[] {
  const chunks = new Map<string, Chunk>()
  for (const { headings, texts } of sectionsOf(content.replace(/\r\n?/g, '\n'), markdown)) {
    const path = pathOf(title, headings)
    let before = ''
    for (const text of texts.length > 0 ? pack(texts) : ['']) {
      const said = [path, before + text].filter((part) => part !== '').join('\n\n')
      const hash = sha256(said)
      if (!chunks.has(hash)) chunks.set(hash, { position: chunks.size, hash, content: said, headings })
      if (chunks.size > MOST_CHUNKS) {
        const most = `A document must not make more than ${MOST_CHUNKS} chunks, one for each section at least.`
        throw new Refusal('too_large', most, { maxChunks: MOST_CHUNKS })
      }
      before = endOf(text)
    }
  }
  return [...chunks.values()]
}

interface Section {
  headings: string[]
  texts: string[]
}

/** What stands between two headings, in pieces small enough for a chunk. A heading that has only others below it is no section. */
function sectionsOf(content: string, markdown: boolean): Section[] {
  const sections: (Section & { depth: number })[] = [{ headings: [], texts: [], depth: 0 }]
  const above: string[] = []
  for (const block of blocksOf(content, markdown)) {
    const section = sections.at(-1) as (typeof sections)[number]
    if ('text' in block) {
      for (const piece of piecesOf(block.text, block.code)) section.texts.push(piece)
      continue
    }
    above.length = Math.min(above.length, block.depth - 1)
    while (above.length < block.depth - 1) above.push('')
    above.push(shortened(block.heading))
    if (section.texts.length === 0 && section.depth < block.depth) sections.pop()
    sections.push({ headings: above.filter((heading) => heading !== ''), texts: [], depth: block.depth })
  }
  return sections.filter(({ texts, headings }) => texts.length > 0 || headings.length > 0)
}

const shortened = (heading: string): string =>
  heading.length > MOST_OF_A_HEADING
    ? `${heading
        .slice(0, MOST_OF_A_HEADING - 1)
        .replace(/[\uD800-\uDBFF]$/, '')
        .trimEnd()}…`
    : heading

function pathOf(title: string, headings: readonly string[]): string {
  const whole = shortened(title.trim())
  return [...(headings[0]?.toLowerCase() === whole.toLowerCase() ? [] : [whole]), ...headings].join(' › ')
}

/** A sentence with the space behind it, or what is left when none ends: `.!?…` and what closes after it, or `。！？` where no space follows. */
const SENTENCE = /[.!?\u2026]["'\u201D\u2019)\]]*\s+|[\u3002\uFF01\uFF1F]["'\u201D\u2019\uFF09\u300D\u300F]*\s*|\n/g

/** A block whole, or its lines (of code) or sentences when it is longer than a chunk may be; and of those that are still too long, parts. */
function* piecesOf(block: string, code: boolean): Generator<string> {
  if (block.length <= MOST) return yield block
  for (const piece of code ? linesOf(block) : sentencesOf(block)) yield* partsOf(piece)
}

function* sentencesOf(text: string): Generator<string> {
  let from = 0
  for (const end of text.matchAll(SENTENCE)) {
    const to = end.index + end[0].length
    yield text.slice(from, to)
    from = to
  }
  if (from < text.length) yield text.slice(from)
}

/** Between words where there are some, never within a character. */
function* partsOf(text: string): Generator<string> {
  let from = 0
  while (text.length - from > MOST) {
    const space = text.slice(from + LEAST, from + MOST).lastIndexOf(' ')
    let to = from + (space < 0 ? MOST : LEAST + space + 1)
    if (/[\uDC00-\uDFFF]/.test(text[to] as string)) to--
    yield text.slice(from, to)
    from = to
  }
  yield text.slice(from)
}

/** Puts pieces together. What is left at the end of a section stands by itself, however short. */
function* pack(pieces: readonly string[]): Generator<string> {
  const hashes = pieces.map(hashOf)
  for (let from = 0; from < pieces.length; ) {
    let [length, to, best] = [0, from, -1]
    while (to < pieces.length && (to === from || length + (pieces[to] as string).length <= MOST)) {
      length += (pieces[to] as string).length
      if (length >= LEAST && (best < 0 || (hashes[to] as number) < (hashes[best] as number))) best = to
      to++
    }
    const last = to === pieces.length || best < 0 ? to - 1 : best
    const text = pieces
      .slice(from, last + 1)
      .join('')
      .trim()
    if (text !== '') yield text
    from = last + 1
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  const said = text.trim()
  for (let i = 0; i < said.length; i++) hash = Math.imul(hash ^ said.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The last words of a chunk, which the next one begins with. */
function endOf(text: string): string {
  const end = text.slice(-OVERLAP).replace(/^[\uDC00-\uDFFF]/, '')
  const words = end.length === text.length ? end : end.replace(/^\S*\s+/, '')
  return words === '' ? '' : `… ${words.replace(/\s+/g, ' ')}\n`
}
