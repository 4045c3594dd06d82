import { parentPort } from 'node:worker_threads'
import type { Reply } from '../thread.ts'
import { type Found, find } from './find.ts'

export interface Asked {
  text: string
  known: readonly string[]
}

parentPort?.on('message', ({ text, known }: Asked) => {
  parentPort?.postMessage(answer(text, known))
})

function answer(text: string, known: readonly string[]): Reply<Found> {
  try {
    return { result: find(text, known) }
  } catch (error) {
    return { failed: String(error) }
  }
}
