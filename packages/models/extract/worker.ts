import { parentPort } from 'node:worker_threads'
import { type Found, find } from './find.ts'

export interface ToWorker {
  id: number
  text: string
  known: readonly string[]
}
export interface FromWorker {
  id: number
  found: Found
}

parentPort?.on('message', ({ id, text, known }: ToWorker) => {
  parentPort?.postMessage({ id, found: find(text, known) } satisfies FromWorker)
})
