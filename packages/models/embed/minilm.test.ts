import type { Worker } from 'node:worker_threads'
import { ModelError } from '@twofold/core/failures.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeEmbedder } from './make.ts'

const threads: Worker[] = []
const note = (worker: Worker) => threads.push(worker)
const embedder = await makeEmbedder({ model: 'embedded' })
const signal = new AbortController().signal
const embed = (texts: string[], priority: 'interactive' | 'background' = 'interactive', until = signal) =>
  embedder.embed(texts, { signal: until, priority })
const cosine = (a?: Float32Array, b?: Float32Array) =>
  (a as Float32Array).reduce((sum, x, i) => sum + x * ((b as Float32Array)[i] as number), 0)

beforeAll(() => void process.on('worker', note))
afterAll(async () => {
  process.off('worker', note)
  await embedder.close()
})

test('gives unit vectors of 384 dimensions in the order asked, nearer for what means nearly the same', async () => {
  const [question, answer, other, empty] = await embed([
    'Where does Anna live?',
    'Her home is in Lisbon.',
    'The invoice is due on Friday.',
    '',
  ])
  for (const vector of [question, answer, other, empty]) {
    expect(vector).toHaveLength(embedder.dimensions)
    expect(Math.hypot(...(vector as Float32Array))).toBeCloseTo(1, 5)
  }
  expect(cosine(question, answer)).toBeGreaterThan(cosine(question, other) + 0.1)
  expect((await embed(['Where does Anna live?']))[0]).toEqual(question)
})

test('answers an interactive text before background texts that were asked for earlier', async () => {
  const order: string[] = []
  const later = embed(['one', 'two', 'three'], 'background').then(() => order.push('background'))
  await Promise.all([embed(['urgent']).then(() => order.push('interactive')), later])
  expect(order).toEqual(['interactive', 'background'])
  expect(threads).toHaveLength(1)
})

test('drops what is aborted, running or waiting, and goes on with the rest', async () => {
  const controller = new AbortController()
  const running = embed(['one', 'two'], 'background', controller.signal)
  const waiting = embed(['three'], 'background', controller.signal)
  const kept = embed(['four'], 'background')
  controller.abort()
  await expect(running).rejects.toBeInstanceOf(ModelError)
  await expect(waiting).rejects.toMatchObject({ name: 'ModelError', retryable: true })
  await expect(embed(['five'], 'interactive', controller.signal)).rejects.toBeInstanceOf(ModelError)
  expect(await kept).toEqual(await embed(['four']))
})

test('loses only the running text when the thread dies, and starts another', async () => {
  await embed(['started'])
  const before = threads.length
  const lost = embed(['one', 'two'])
  const kept = embed(['three'])
  await Promise.all([threads.at(-1)?.terminate(), expect(lost).rejects.toBeInstanceOf(ModelError)])
  expect((await kept)[0]).toHaveLength(384)
  expect(threads).toHaveLength(before + 1)
})

test('fails what waits when it is closed, and whatever is asked afterwards', async () => {
  const closing = await makeEmbedder({ model: 'embedded' })
  const waiting = closing.embed(['one'], { signal, priority: 'interactive' })
  await Promise.all([closing.close(), expect(waiting).rejects.toBeInstanceOf(ModelError)])
  await expect(closing.embed(['two'], { signal, priority: 'interactive' })).rejects.toBeInstanceOf(ModelError)
})

test('refuses dimensions that the model does not have', async () => {
  await expect(makeEmbedder({ model: 'embedded', dimensions: 512 })).rejects.toThrow(
    'EMBEDDING_DIMENSIONS is 512; the embedded model answers 384.',
  )
})
