import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { binaryIn } from './binary.ts'
import { blocksOf } from './blocks.ts'
import { chunksOf, MOST_CHUNKS } from './chunks.ts'

const cut = (content: string, markdown = true, title = 'Guide') => chunksOf({ title, content, markdown })
const said = (content: string, markdown = true) => cut(content, markdown).map((chunk) => chunk.content)

/** Sentences of words that repeat, as prose does; the same for the same seed. */
function prose(sentences: number, seed = 1): string[] {
  let state = seed
  const next = (most: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % most
  }
  return Array.from({ length: sentences }, () => `${Array.from({ length: 6 + next(14) }, () => `word${next(3000)}`).join(' ')}.`)
}
const paragraphs = (n: number, seed = 1): string[] => {
  const sentences = prose(n * 4, seed)
  return Array.from({ length: n }, (_, i) => sentences.slice(i * 4, i * 4 + 4).join(' '))
}

/** Without a space, and nothing in it twice. */
const counted = (what: string, n: number) => Array.from({ length: n }, (_, i) => `${what}${i}`).join('')

describe('chunks', () => {
  test('begin with the title and the headings above them, and end where a heading begins', () => {
    const content = '# Tea\n\nSteep it.\n\n## Green\n\nAt eighty degrees.\n\nCoffee\n======\n\nGrind it.\n\n### Filter ###\nSlowly.'
    expect(said(content)).toEqual([
      'Guide › Tea\n\nSteep it.',
      'Guide › Tea › Green\n\nAt eighty degrees.',
      'Guide › Coffee\n\nGrind it.',
      'Guide › Coffee › Filter\n\nSlowly.',
    ])
    expect(cut(content).map(({ position, headings }) => [position, headings])).toEqual([
      [0, ['Tea']],
      [1, ['Tea', 'Green']],
      [2, ['Coffee']],
      [3, ['Coffee', 'Filter']],
    ])
  })

  test('do not say the title twice, and keep a heading that has nothing below it', () => {
    expect(said('# guide\n\nText.\n\n## Later\n\n## Now\n\n### Deep\n\nMore.')).toEqual([
      'guide\n\nText.',
      'guide › Later',
      'guide › Now › Deep\n\nMore.',
    ])
    expect(said('')).toEqual([])
    expect(said(' \n\n ')).toEqual([])
    expect(said('No heading at all.')).toEqual(['Guide\n\nNo heading at all.'])
  })

  test('take a code fence for one block, whatever is in it', () => {
    const fence = '```sh\n# no heading\n\nnpm start\n```'
    expect(said(`Run:\n\n${fence}\n\nDone.`)).toEqual([`Guide\n\nRun:\n\n${fence}\n\nDone.`])
    expect(said('~~~\n```\n# no\n~~~\n\n# Yes')).toEqual(['Guide\n\n~~~\n```\n# no\n~~~', 'Guide › Yes'])
    expect(said('```\nnever closed\n\n# no')).toEqual(['Guide\n\n```\nnever closed\n\n# no'])
  })

  test('leave alone what only looks like Markdown, in a text that is none', () => {
    expect(said('# a comment\n\nx = 1\n---\ny', false)).toEqual(['Guide\n\n# a comment\n\nx = 1\n---\ny'])
    expect(said('---\ntitle: T\n---\n\nText.')).toEqual(['Guide\n\n---\ntitle: T\n---\n\nText.'])
    expect(said('- item\n---\n| a | b |\n|---|---|\n| 1 | 2 |')).toHaveLength(1)
  })

  test('are no longer than they may be, lie in their order and lose nothing', () => {
    const content = [...paragraphs(40), '```', ...prose(40, 2), '```', counted('x', 800), counted('漢', 400), counted('🎉', 400)].join(
      '\n\n',
    )
    const chunks = said(content)
    for (const chunk of chunks) {
      expect(chunk.length).toBeLessThanOrEqual(7 + 124 + 802)
      expect(chunk.isWellFormed()).toBe(true)
    }
    const whole = chunks.map((chunk) => chunk.replace(/^Guide\n\n(?:… [^\n]*\n)?/, '')).join('')
    // Not printed when it fails: it is long.
    expect(whole.replace(/\s/g, '') === content.replace(/\s/g, '')).toBe(true)
  })

  test('begin with the last words of the one before, in the same section', () => {
    const [first, second] = said(paragraphs(6).join('\n\n')) as [string, string]
    const carried = /^Guide\n\n… ([^\n]*)\n/.exec(second)?.[1] as string
    expect(carried.length).toBeGreaterThan(60)
    expect(first.endsWith(carried)).toBe(true)
    expect(said('# A\n\nEnds here.\n\n# B\n\nBegins.')[1]).toBe('Guide › B\n\nBegins.')
  })

  test('that say the same twice are one', () => expect(said('# A\n\nSame.\n\n# A\n\nSame.')).toEqual(['Guide › A\n\nSame.']))

  test('above the limit are refused with it', () => {
    const content = Array.from({ length: MOST_CHUNKS + 1 }, (_, i) => `# ${i}\n`).join('')
    expect(() => cut(content)).toThrow(expect.objectContaining({ code: 'too_large', details: { maxChunks: MOST_CHUNKS } }))
  })
})

describe('an edit', () => {
  const differ = (before: string, after: string) => {
    const known = new Set(cut(before).map(({ hash }) => hash))
    return cut(after).filter(({ hash }) => !known.has(hash)).length
  }

  test('moves the cuts around it and no others, in a text of one section', () => {
    const all = paragraphs(400)
    const before = all.join('\n\n')
    const [most, sum] = [{ n: 0 }, { n: 0 }]
    for (let at = 5; at < 395; at += 13) {
      for (const edited of [
        [...all.slice(0, at), 'A new paragraph, which nobody has read yet.', ...all.slice(at)],
        [...all.slice(0, at), ...all.slice(at + 1)],
        [...all.slice(0, at), `${all[at]} And one more sentence.`, ...all.slice(at + 1)],
      ]) {
        const n = differ(before, edited.join('\n\n'))
        expect(n).toBeGreaterThan(0)
        most.n = Math.max(most.n, n)
        sum.n += n
      }
    }
    expect(cut(before).length).toBeGreaterThan(200)
    expect(most.n).toBeLessThanOrEqual(8)
    expect(sum.n / 90).toBeLessThan(4)
  })

  test('of lines that are all as long, where chunks packed from the beginning would never meet again, is no other', () => {
    const lines = Array.from({ length: 2000 }, (_, i) => `2026-01-01 host ${1_000_000 + ((i * 7919) % 999_983)} took so many ms to answer`)
    for (const end of ['\n', '\n\n'])
      expect(differ(lines.join(end), lines.toSpliced(100, 0, lines[0]?.replace('host', 'hero') as string).join(end))).toBeLessThan(5)
  })

  test('in one section leaves every other section alone', () => {
    const sections = Array.from({ length: 30 }, (_, i) => `# S${i}\n\n${paragraphs(6, i + 1).join('\n\n')}`)
    const edited = sections.with(15, `# S15\n\n${paragraphs(9, 99).join('\n\n')}`)
    const changed = cut(edited.join('\n\n')).filter(({ hash }) => !cut(sections.join('\n\n')).some((known) => known.hash === hash))
    expect(new Set(changed.map(({ headings }) => headings[0]))).toEqual(new Set(['S15']))
  })
})

test('whatever the text, its blocks say all of it, and its chunks are found again by their hashes', () => {
  const line = fc.oneof(
    fc.constantFrom('', '# h', '```', '~~~', '---', '===', '- a', '> q', '    code', '\u2028', '\f'),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(fc.array(line), fc.boolean(), (lines, markdown) => {
      const content = lines.join('\n')
      for (const { content: chunk } of cut(content, markdown)) expect(chunk.trim()).not.toBe('')
      expect(cut(content, markdown)).toEqual(cut(content, markdown))
      if (markdown) return
      const texts = blocksOf(content, false).map((block) => ('text' in block ? block.text : ''))
      expect(texts.join('').replace(/\s/g, '')).toBe(content.replace(/\s/g, ''))
    }),
  )
})

test.each([
  ['nested quotes', '> '.repeat(2 ** 19)],
  ['nested lists', Array.from({ length: 1400 }, (_, i) => `${' '.repeat(i)}- x`).join('\n')],
  ['rules', '---\n'.repeat(2 ** 18)],
  ['rules below a line', `x\n${'---\n'.repeat(2 ** 18)}`],
  ['spaces', ' '.repeat(2 ** 20)],
  ['one word', 'x'.repeat(2 ** 20)],
  ['dots', '.'.repeat(2 ** 20)],
  ['quotes', `.${'"'.repeat(2 ** 20)}`],
  ['fences', '```\n'.repeat(2 ** 18)],
  ['backticks', '`'.repeat(2 ** 20)],
  ['hashes', `# ${'# '.repeat(2 ** 19)}x`],
  ['lines', '\n'.repeat(2 ** 20)],
])('1 MiB of %s are cut in time that grows with their size', (_, content) => {
  expect(cut(content).length).toBeLessThan(MOST_CHUNKS)
  expect(cut(content, false).length).toBeLessThan(MOST_CHUNKS)
  expect(binaryIn(content)).toBeNull()
})

describe('what is no text', () => {
  const bytes = Uint8Array.from({ length: 4096 }, (_, i) => (i * 197 + (i >> 3)) & 255)
  test.each([
    ['read as Latin-1', Buffer.from(bytes.map((byte) => byte || 1)).toString('latin1')],
    ['read as UTF-8', Buffer.from(bytes.map((byte) => byte || 1)).toString('utf8')],
    ['in Base64', Buffer.from(bytes).toString('base64')],
    ['a data URL', 'data:image/png;base64,iVBORw0KGgo='],
    ['a PDF', '%PDF-1.7 all of it in plain letters'],
  ])('%s is known', (_, content) => expect(binaryIn(content)).not.toBeNull())

  test.each([
    ['a list of words', 'alpha\nBeta\ngamma7\n'.repeat(200)],
    ['a log in colour', '\u001b[32mok\u001b[0m all tests passed in one go\n'.repeat(50)],
    ['one damaged character', `${'A long line of text. '.repeat(10)}\ufffd`],
    ['Chinese', '漢字かな交じり文。'.repeat(100)],
    ['a genome', 'ACGT'.repeat(1000)],
    ['nothing', ''],
  ])('%s is text', (_, content) => expect(binaryIn(content)).toBeNull())
})
