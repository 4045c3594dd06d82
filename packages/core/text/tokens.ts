import { countTokens as countPiece, setMergeCacheSize } from 'gpt-tokenizer/encoding/r50k_base'

/**
 * Tokens as GPT-2 cuts them (`r50k_base`, byte pairs). Newer vocabularies are larger and need fewer for the same text, so
 * what keeps to a budget here keeps to it there; and its ranks are a fifth of theirs, small enough for every function.
 */

// Words of one tenant's texts are not kept in memory.
setMergeCacheSize(0)

/** Names of special tokens in a text are text. */
const AS_TEXT = { disallowedSpecial: new Set<string>() }

/**
 * The longest run that is cut as one. Byte pairs are merged in quadratic time, so 100,000 letters without a space would
 * take minutes; cut every 64 letters they are counted a few tokens too high.
 */
const RUN = 64
/** White space goes with what follows it, as in the encoding itself, so that pieces count together what the text counts. */
const PIECE = new RegExp(String.raw`\s{0,${RUN}}\S{1,${RUN}}|\s{1,${RUN}}`, 'gu')

/** How many tokens the text has. Linear time. */
export function countTokens(text: string): number {
  let tokens = 0
  for (const [piece] of text.matchAll(PIECE)) tokens += countPiece(piece, AS_TEXT)
  return tokens
}

/**
 * The longest beginning of the text that has at most `most` tokens, and how many it has. It ends with a whole word, or
 * inside a run of letters longer than any word; reads no further than it has to.
 */
export function cutToTokens(text: string, most: number): { text: string; tokens: number } {
  let [end, tokens] = [0, 0]
  for (const { 0: piece, index } of text.matchAll(PIECE)) {
    const more = countPiece(piece, AS_TEXT)
    if (tokens + more > most) break
    tokens += more
    end = index + piece.length
  }
  return { text: text.slice(0, end), tokens }
}
