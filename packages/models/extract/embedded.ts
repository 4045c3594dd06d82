import type { Extractor } from '@twofold/core/ports.ts'
import { thread } from '../thread.ts'
import type { Found } from './find.ts'
import type { Asked } from './worker.ts'

/** How much of a text is read, in UTF-16 units. What a memory is about stands in its beginning. */
const MAX_READ = 8_000

/**
 * The extractor that comes with the installation: names, dates and a few relations in English text, no network. Reads the
 * first 8,000 characters. Works in one worker thread, which takes 0.7 s and 100 MB to begin, 2 to 10 ms a chat turn and up to
 * 0.3 s for 8,000 characters of prose; one text goes before the next of several. Throws `ModelError` when `signal` aborts,
 * when the thread dies (the next call begins another) and after `close()`.
 */
export function embeddedExtractor(): Extractor & { close(): Promise<void> } {
  const worker = thread<Asked, Found>('extraction', new URL('./worker.ts', import.meta.url))
  return {
    model: 'embedded',
    extract: (texts, { signal }) =>
      worker.run(
        texts.map(({ text, known }) => ({ text: beginning(text), known })),
        { signal, priority: texts.length > 1 ? 'background' : 'interactive' },
      ),
    close: () => worker.close(),
  }
}

/** Cut between words where there are some, so that no name is cut in two. */
const beginning = (text: string) => (text.length <= MAX_READ ? text : text.slice(0, MAX_READ).replace(/\S{1,100}$/u, ''))
