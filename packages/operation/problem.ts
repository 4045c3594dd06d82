import { type Code, Refusal } from './refusal.ts'

export const TITLES: Record<Code, string> = {
  invalid: 'The request is not valid',
  unauthenticated: 'No valid key',
  forbidden: 'The key may not do this',
  not_found: 'Not found',
  method_not_allowed: 'The route does not take this method',
  conflict: 'It conflicts with what is there',
  in_progress: 'The same request is still running',
  idempotency_mismatch: 'The idempotency key belongs to another request',
  invalid_transition: 'The state does not allow this',
  gone: 'It has been deleted for good',
  version_mismatch: 'It has changed since',
  too_large: 'The body is too large',
  unsupported_media_type: 'The body is not JSON',
  rate_limited: 'Too many requests',
  internal: 'Something went wrong inside',
  unavailable: 'A store cannot be reached',
  timeout: 'It took too long',
}

/** What the world hears of a failure nobody expected. */
export const internal = (cause: unknown): Refusal =>
  new Refusal('internal', 'Something went wrong inside. The log has it under this request id.', {}, { cause })

/** A response before it is one. */
export interface Reply {
  status: number
  headers: Record<string, string>
  body: string | Uint8Array<ArrayBuffer> | null
}

/** The problem document (RFC 9457) of a refusal, with the headers that its code asks for. */
export function problem(refusal: Refusal, requestId: string): Reply {
  const members = {
    type: `urn:twofold:problem:${refusal.code}`,
    title: TITLES[refusal.code],
    status: refusal.status,
    detail: refusal.message,
    code: refusal.code,
    requestId,
  }
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  if (refusal.status === 401) headers['www-authenticate'] = 'Bearer'
  if (refusal.status === 429 || refusal.status === 503)
    headers['retry-after'] = String(Math.ceil((refusal.details.retryAfterMs ?? 1000) / 1000))
  if (refusal.code === 'method_not_allowed') headers.allow = (refusal.details.allow as string[]).join(', ')
  return { status: refusal.status, headers, body: JSON.stringify({ ...members, ...refusal.details, ...members }) }
}
