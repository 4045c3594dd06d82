import { existsSync, renameSync, rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import type { FromWorker, PgliteData, ToWorker } from './pglite-socket.ts'

const port = parentPort
if (!port) throw new Error('pglite-worker.ts runs as a worker thread')
const answer = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

const { dataDir, template } = workerData as PgliteData
const extensions = { vector }
const begin = template === undefined ? {} : { loadDataDir: new Blob([template]) }

/** Made beside its place and renamed, so that a process killed meanwhile leaves no half of a store. */
async function create(folder: string): Promise<void> {
  const unfinished = `${folder}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  await (await PGlite.create({ dataDir: unfinished, extensions, ...begin })).close()
  renameSync(unfinished, folder)
}

if (dataDir !== undefined && !existsSync(dataDir)) await create(dataDir)
const db = await PGlite.create(dataDir === undefined ? { extensions, ...begin } : { dataDir, extensions })

port.on('message', async (message: ToWorker) => {
  if (message.kind === 'wire') {
    const bytes = await wire(message.bytes)
    answer({ kind: 'wire', bytes }, [bytes.buffer])
  } else if (message.kind === 'dump') {
    const bytes = new Uint8Array(await (await db.dumpDataDir('none')).arrayBuffer())
    answer({ kind: 'dump', bytes }, [bytes.buffer])
  } else {
    await db.close()
    port.close()
  }
})
answer({ kind: 'open' })

/** The streaming call, because `execProtocolRaw` parses every answer a second time and keeps the messages for ever. */
async function wire(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  await db.execProtocolRawStream(bytes, { syncToFs: false, onRawData: (chunk) => chunks.push(chunk.slice()) })
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}
