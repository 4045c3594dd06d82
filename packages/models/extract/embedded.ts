import type { Extractor } from '@twofold/core/ports.ts'
import { thread } from '../thread.ts'
import type { Found } from './find.ts'
import type { Asked } from './worker.ts'

/** How much of a text is read, in UTF-16 units. What a memory is about stands in its beginning. */
const MAX_READ = 8_000

/**
 * The extractor that comes with the installation: names, dates and a few relations in English text, no network. Works in
 * one worker thread, since some milliseconds a text would hold up every request. Reads the first 8,000 characters.
 */
export function embeddedExtractor(): Extractor & { close(): Promise<void> } {
  const worker = thread<Asked, Found>('extraction', new URL('./worker.ts', import.meta.url))
  return {
    model: 'embedded',
    extract: (texts, { signal }) =>
      worker.run(
        texts.map(({ text, known }) => ({ text: beginning(text), known })),
        { signal, priority: 'interactive' },
      ),
    close: () => worker.close(),
  }
}

/** Cut between words where there are some, so that no name is cut in two. */
const beginning = (text: string) => (text.length <= MAX_READ ? text : text.slice(0, MAX_READ).replace(/\S{1,100}$/u, ''))
