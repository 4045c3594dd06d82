import { namespaceOf } from './fill.ts'
import { textOf } from './texts.ts'
import { vectorOf } from './vectors.ts'

const kept: number[][] = []

/** The contents of the ten memories of a namespace nearest to a vector, of all that were filled, by comparing with each. */
export function nearest(vector: readonly number[], namespace: string, size: number): string[] {
  while (kept.length < size) kept.push(vectorOf(kept.length))
  return kept
    .slice(0, size)
    .map((other, i) => ({ i, similarity: other.reduce((sum, x, k) => sum + x * (vector[k] as number), 0) }))
    .filter(({ i }) => namespaceOf(i) === namespace)
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, 10)
    .map(({ i }) => textOf(i))
}

export const recallOf = (truth: readonly string[], answer: readonly string[]): number => {
  const given = new Set(answer)
  return truth.filter((content) => given.has(content)).length / truth.length
}
