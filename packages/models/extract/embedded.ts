import { Worker } from 'node:worker_threads'
import { ModelError } from '@twofold/core/failures.ts'
import type { Extractor } from '@twofold/core/ports.ts'
import type { Found } from './find.ts'
import type { FromWorker, ToWorker } from './worker.ts'

interface Waiting {
  resolve(found: Found): void
  reject(error: Error): void
}

/**
 * The extractor that comes with the installation: English names and dates, no network. It reads in one thread of its
 * own, begun at the first text, because 6 ms a text would hold up every request; a thread that dies fails the texts it
 * had and the next text begins another. Reads the first 8,000 characters of a text.
 */
export function embeddedExtractor(): Extractor & { close(): Promise<void> } {
  let worker: Worker | undefined
  let last = 0
  const waiting = new Map<number, Waiting>()

  function start(): Worker {
    const started = new Worker(new URL('./worker.ts', import.meta.url))
    started.unref()
    started.on('message', ({ id, found }: FromWorker) => waiting.get(id)?.resolve(found))
    const failed = (cause?: unknown) => {
      if (worker === started) worker = undefined
      for (const { reject } of waiting.values()) reject(new ModelError('extraction (its thread ended)', { retryable: true, cause }))
    }
    started.on('error', failed)
    started.on('exit', () => failed())
    return started
  }

  function one(text: string, known: readonly string[], signal: AbortSignal): Promise<Found> {
    if (signal.aborted) return Promise.reject(aborted(signal))
    last += 1
    const id = last
    const { promise, resolve, reject } = Promise.withResolvers<Found>()
    const abort = () => reject(aborted(signal))
    signal.addEventListener('abort', abort, { once: true })
    waiting.set(id, { resolve, reject })
    worker ??= start()
    // Held while it is asked, so that a script does not end before its answer.
    worker.ref()
    worker.postMessage({ id, text: text.slice(0, MAX_SENT), known } satisfies ToWorker)
    return promise.finally(() => {
      signal.removeEventListener('abort', abort)
      waiting.delete(id)
      if (waiting.size === 0) worker?.unref()
    })
  }

  return {
    model: 'embedded',
    async extract(texts, { signal }) {
      const results: Found[] = []
      // One at a time: what is given up at the deadline leaves at most one text in the thread.
      for (const { text, known } of texts) results.push(await one(text, known, signal))
      return results
    },
    async close() {
      await worker?.terminate()
    },
  }
}

/** More than is read, less than would cost to copy. */
const MAX_SENT = 10_000

const aborted = (signal: AbortSignal) => new ModelError('extraction (no answer in time)', { retryable: true, cause: signal.reason })
