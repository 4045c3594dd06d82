import type { Embedder } from '@twofold/core/ports.ts'
import { thread } from '../thread.ts'

/** More than 256 tokens of prose hold; the rest would only be tokenised in vain. */
const MOST_CHARACTERS = 4000

/**
 * all-MiniLM-L6-v2 as it comes with npm install: 384 dimensions, vectors of length 1, in one worker thread. An English
 * model that reads the first 256 tokens (about 1,000 characters); what a longer text says later is found by its words.
 * Measured on a slow core: 0.4 s to start, 20 to 60 ms a question, 90 to 160 ms a chat turn, 0.4 to 0.7 s from 256 tokens on.
 */
export function miniLm(): Embedder & { close(): Promise<void> } {
  const worker = thread<string, Float32Array>('embedding', new URL('./minilm-worker.ts', import.meta.url))
  return {
    model: 'embedded:minilm-l6-v2-fp16',
    dimensions: 384,
    embed: (texts, options) =>
      worker.run(
        texts.map((text) => text.slice(0, MOST_CHARACTERS)),
        options,
      ),
    close: () => worker.close(),
  }
}
