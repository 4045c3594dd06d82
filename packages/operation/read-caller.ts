import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Caller } from './caller.ts'
import type { AnyOperation } from './operation.ts'
import { type FieldError, invalid, Refusal } from './refusal.ts'

const REQUEST_ID = /^[A-Za-z0-9_.:-]{8,128}$/
const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i
/** Of a key that is known at one of several places. */
const PLACED = /^tf_([a-z][a-z0-9-]{0,30})\./
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/
const ON_BEHALF_OF = /^[\x20-\x7e]{1,255}$/
const ETAG = /^"([1-9]\d{0,9})"$/
/** Versions are 32-bit integers in the database. */
const MAX_VERSION = 2 ** 31 - 1

export type Headed = Pick<Caller, 'keyHash' | 'place' | 'scope' | 'onBehalfOf' | 'idempotency' | 'ifMatch'>

/** The caller's own request id when it is well formed, else a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get('x-request-id') ?? ''
  return REQUEST_ID.test(given) ? given : randomUUID()
}

/** SHA-256 of a key: all that is ever kept of it. */
export const hashKey = (key: string): Buffer => createHash('sha256').update(key).digest()

/** What the headers say of the caller. `unauthenticated` without a key, `forbidden` where only the operator's will do, `invalid` naming the header. */
export function readCaller(operation: AnyOperation<never>, headers: Headers, operatorKeyHash: Buffer | null): Headed {
  const secret = operation.public ? null : bearer(headers)
  const keyHash = secret === null ? Buffer.alloc(0) : hashKey(secret)
  const place = PLACED.exec(secret ?? '')?.[1] ?? null
  if (operation.scope === 'operator' && !(operatorKeyHash && timingSafeEqual(keyHash, operatorKeyHash))) {
    throw new Refusal('forbidden', "This takes the operator's key.")
  }
  const errors: FieldError[] = []
  const header = (name: string, allowed: RegExp, message: string): string | null => {
    const value = headers.get(name)
    if (value === null || allowed.test(value)) return value
    errors.push({ path: `headers.${name}`, message })
    return null
  }
  const key = header('Idempotency-Key', IDEMPOTENCY_KEY, 'must be 1 to 255 visible ASCII characters')
  const onBehalfOf = header('X-On-Behalf-Of', ON_BEHALF_OF, 'must be 1 to 255 printable ASCII characters')
  const ifMatch = readIfMatch(headers.get('If-Match'), operation.ifMatch ?? false, errors)
  if (errors.length > 0) throw invalid(errors)
  return { keyHash, place, scope: operation.scope, onBehalfOf, ifMatch, idempotency: operation.write && key !== null ? { key } : null }
}

function bearer(headers: Headers): string {
  const key = BEARER.exec(headers.get('authorization') ?? '')?.[1]
  if (!key) throw new Refusal('unauthenticated', 'Send an API key as "Authorization: Bearer <key>".')
  return key
}

function readIfMatch(value: string | null, honoured: boolean, errors: FieldError[]): number | null {
  if (value === null || (honoured && value === '*')) return null
  const version = Number(ETAG.exec(value)?.[1])
  if (honoured && version <= MAX_VERSION) return version
  const message = honoured ? 'must be one strong version in double quotes, such as "3", or *' : 'is not taken by this operation'
  errors.push({ path: 'headers.If-Match', message })
  return null
}
