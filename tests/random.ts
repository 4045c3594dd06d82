/** Mulberry32: the same numbers from 0 to 1 for the same seed. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** FNV-1a. */
const hash = (text: string): number => [...text].reduce((h, c) => Math.imul(h ^ (c.codePointAt(0) as number), 0x01000193), 0x811c9dc5) >>> 0

/** A vector that belongs to this text and is far from every other's. */
export function vectorOf(text: string, dimensions = 384): number[] {
  const next = random(hash(text))
  return Array.from({ length: dimensions }, () => Math.round((next() - 0.5) * 1e6) / 1e6)
}
