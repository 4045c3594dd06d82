import { CallerGone } from './deadline.ts'
import { Refusal } from './refusal.ts'

const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i

/**
 * The bytes of a request's body, null without one. Refused: `unsupported_media_type` unless it says it is JSON in UTF-8 without an encoding,
 * `too_large` above `maxBytes` of what is announced or, whatever is announced, of what arrives.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | null> {
  const announced = request.headers.get('content-length')
  if (announced === null && request.body === null) return null
  if (Number(announced) > maxBytes) throw tooLarge(maxBytes)
  const bytes = await (announced === null ? readAtMost(request, maxBytes) : readAll(request))
  if (bytes.length > maxBytes) throw tooLarge(maxBytes)
  if (bytes.length === 0) return null
  mustBeJson(request.headers)
  return bytes
}

function mustBeJson(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  if (!JSON_TYPE.test(type.trim())) throw new Refusal('unsupported_media_type', 'The body must be application/json in UTF-8.')
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity')
    throw new Refusal('unsupported_media_type', 'The body must be sent without a content encoding.')
}

/** Only the caller can break a body off. */
const brokenOff = (cause: unknown): never => {
  throw new CallerGone('the body broke off', { cause })
}

const readAll = async (request: Request): Promise<Uint8Array> => new Uint8Array(await request.arrayBuffer().catch(brokenOff))

/** Stops reading past the limit. The stream is left alone then: cancelling it would tear down the connection that the answer needs. */
async function readAtMost(request: Request, maxBytes: number): Promise<Uint8Array> {
  const reader = (request.body as ReadableStream<Uint8Array>).getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  const read = () => reader.read().catch(brokenOff)
  for (let next = await read(); !next.done; next = await read()) {
    size += next.value.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(next.value)
  }
  return Buffer.concat(chunks)
}

const tooLarge = (maxBytes: number): Refusal =>
  new Refusal('too_large', `The body must not be larger than ${maxBytes} bytes.`, { maxBytes })
