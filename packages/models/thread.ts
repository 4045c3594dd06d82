import { Worker } from 'node:worker_threads'
import { ModelError } from '@twofold/core/failures.ts'

export type Priority = 'interactive' | 'background'

export interface Thread<Item, Result> {
  /**
   * Works through the items one by one and answers in their order. Between any two items of `background` work,
   * whatever is `interactive` goes first. Throws `ModelError`: as soon as `signal` aborts (what is queued is dropped,
   * the answer to what is running is ignored), when an item cannot be done, when the thread dies or is closed.
   */
  run(items: readonly Item[], options: { signal: AbortSignal; priority: Priority }): Promise<Result[]>
  close(): Promise<void>
}

/** What the other side of a thread answers to each item. */
export type Reply<Result> = { result: Result } | { failed: string }

interface Job<Item, Result> {
  items: readonly Item[]
  results: Result[]
  finish(outcome: Result[] | ModelError): void
}

/**
 * One long-lived worker thread, started by the first work and again after it died, that keeps a blocking model away
 * from the event loop. It does not keep the process alive while it is idle.
 */
export function thread<Item, Result>(step: string, file: URL): Thread<Item, Result> {
  const lines: Record<Priority, Job<Item, Result>[]> = { interactive: [], background: [] }
  let worker: Worker | null = null
  let running: Job<Item, Result> | null = null
  let closed = false
  const failure = (cause: unknown) => new ModelError(step, { retryable: true, cause })

  function start(): Worker {
    const started = new Worker(file)
    let reason: unknown
    started.on('message', (reply: Reply<Result>) => settle('result' in reply ? reply.result : failure(reply.failed)))
    started.on('error', (error) => {
      reason = error
    })
    started.on('exit', (code) => {
      if (worker === started) worker = null
      if (!closed) settle(failure(reason ?? `the thread ended with code ${code}`))
    })
    return started
  }

  function settle(outcome: Result | ModelError): void {
    const job = running
    running = null
    worker?.unref()
    if (job && outcome instanceof ModelError) job.finish(outcome)
    else if (job) {
      job.results.push(outcome as Result)
      if (job.results.length === job.items.length) job.finish(job.results)
    }
    next()
  }

  function next(): void {
    const job = lines.interactive[0] ?? lines.background[0]
    if (running || !job) return
    running = job
    worker ??= start()
    worker.ref()
    worker.postMessage(job.items[job.results.length])
  }

  return {
    async run(items, { signal, priority }) {
      if (closed) throw failure('closed')
      if (signal.aborted) throw failure(signal.reason)
      if (items.length === 0) return []
      return new Promise((resolve, reject) => {
        const line = lines[priority]
        const abort = () => job.finish(failure(signal.reason))
        const job: Job<Item, Result> = {
          items,
          results: [],
          finish(outcome) {
            signal.removeEventListener('abort', abort)
            const place = line.indexOf(job)
            if (place === -1) return
            line.splice(place, 1)
            if (outcome instanceof ModelError) reject(outcome)
            else resolve(outcome)
          },
        }
        line.push(job)
        signal.addEventListener('abort', abort, { once: true })
        next()
      })
    },
    async close() {
      closed = true
      for (const job of [...lines.interactive, ...lines.background]) job.finish(failure('closed'))
      await worker?.terminate()
    },
  }
}
