/** A piece of a document as it stands there, with the blank lines behind it; or what a heading says. */
export type Block = { text: string; code: boolean } | { heading: string; depth: number }

const FENCE = /^ {0,3}(`{3,}(?![^\n]*`)|~{3,})/
const ATX = /^ {0,3}(#{1,6})(?:[ \t]+([^\n]*))?$/
const SETEXT = /^ {0,3}(?:=+|-+)[ \t]*$/
/** A line that can be no heading, whatever stands below it. */
const NO_HEADING = /^ {0,3}(?:[-+*>|#]|\d+[.)])/
const FRONT_MATTER = /^---\n(?:(?!---)[^\n]*\n){0,200}---(?:\n|$)/
const BLANK = /^\s*$/

/**
 * The blocks of a text, in their order: parted by blank lines, in Markdown also by headings, and a code fence is one, blank
 * lines and all. It looks at each line once and at nothing inside of blocks, so that the time is linear whatever the text is:
 * parsers of Markdown build a tree, and one of the fastest took most of a minute for a list of 600 levels.
 */
export function blocksOf(content: string, markdown: boolean): Block[] {
  const front = markdown ? (FRONT_MATTER.exec(content)?.[0] ?? '') : ''
  const blocks: Block[] = front ? [{ text: front, code: true }] : []
  let lines: string[] = []
  let fence = ''
  let blank = false
  const flush = (code = false) => {
    const text = lines.join('')
    const last = blocks.at(-1)
    if (!BLANK.test(text)) blocks.push({ text, code })
    else if (last && 'text' in last) last.text += text
    lines = []
    blank = false
  }
  for (const line of linesOf(content.slice(front.length))) {
    const said = line.endsWith('\n') ? line.slice(0, -1) : line
    if (fence) {
      lines.push(line)
      if (!closes(said, fence)) continue
      flush(true)
      fence = ''
      continue
    }
    if (BLANK.test(said)) {
      lines.push(line)
      blank = true
      continue
    }
    const heading = markdown ? headingOf(said, blank ? [] : lines) : null
    if (heading) {
      if (heading.below) lines = []
      flush()
      blocks.push({ heading: heading.text, depth: heading.depth })
      continue
    }
    const opening = markdown ? FENCE.exec(said)?.[1] : undefined
    if (blank || opening) flush()
    fence = opening ?? ''
    lines.push(line)
  }
  flush(fence !== '')
  return blocks
}

/** Each with its end. */
export function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    const to = end < 0 ? text.length : end + 1
    yield text.slice(from, to)
    from = to
  }
}

/** The heading that this line is, or makes of the one line above it. */
function headingOf(line: string, above: readonly string[]): { text: string; depth: number; below?: true } | null {
  const [, marks, text = ''] = ATX.exec(line) ?? []
  if (marks) return { text: text.replace(/(?:^|[ \t])#+[ \t]*$/, '').trim(), depth: marks.length }
  const [only] = above
  if (above.length !== 1 || only === undefined || !SETEXT.test(line) || NO_HEADING.test(only)) return null
  return { text: only.trim(), depth: line.includes('=') ? 1 : 2, below: true }
}

const closes = (line: string, fence: string): boolean => {
  const marks = line.trim()
  return marks.length >= fence.length && marks === (fence[0] as string).repeat(marks.length)
}
