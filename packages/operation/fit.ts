import type { Reply } from './problem.ts'
import { Refusal } from './refusal.ts'

/** What Lambda hands over as one answer, less what stands around the body in it. */
const MOST_BYTES = 6_291_556 - 32 * 1024

/**
 * A reply as Lambda can hand it over. One that is too large for that goes compressed, which is what any caller takes who does
 * not say otherwise; `too_large` when that is not enough.
 */
export async function fit(reply: Reply, asked: Headers): Promise<Reply> {
  const { body, headers } = reply
  if (typeof body !== 'string' || handed(body) <= MOST_BYTES) return reply
  if (!takesGzip(asked.get('accept-encoding'))) throw tooLarge('With "Accept-Encoding: gzip" it may not be.')
  // Loading these is a tenth of what a function's start costs, and hardly any answer is so large.
  const [{ gzip }, { promisify }] = await Promise.all([import('node:zlib'), import('node:util')])
  const bytes = await promisify(gzip)(body)
  if (base64(bytes.length) > MOST_BYTES) throw tooLarge('Ask for fewer things at once.')
  return { ...reply, body: bytes, headers: { ...headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' } }
}

/** Lambda takes an answer as JSON, in which the body is a string: a character has at most three bytes, or six where it is escaped. */
const handed = (body: string): number => (body.length * 6 <= MOST_BYTES ? 0 : Buffer.byteLength(JSON.stringify(body)))

/** What is not text is handed over in base64. */
const base64 = (bytes: number): number => Math.ceil(bytes / 3) * 4

/** No word about it means that any encoding will do (RFC 9110, 12.5.3). */
function takesGzip(accepted: string | null): boolean {
  if (accepted === null) return true
  const weights = new Map(
    accepted.split(',').map((each) => {
      const [name = '', weight = 'q=1'] = each.split(';').map((part) => part.trim().toLowerCase())
      return [name, Number(weight.replace('q=', ''))]
    }),
  )
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0
}

const tooLarge = (remedy: string): Refusal =>
  new Refusal('too_large', `The answer is larger than one that can be handed over here. ${remedy}`, { maxBytes: MOST_BYTES })
