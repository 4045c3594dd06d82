/** Every expected failure and the HTTP status it answers with. The list is closed: anything else is `internal`. */
export const STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  in_progress: 409,
  idempotency_mismatch: 409,
  invalid_transition: 409,
  gone: 410,
  version_mismatch: 412,
  too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
  timeout: 504,
} as const

export type Code = keyof typeof STATUS

export interface FieldError {
  path: string
  message: string
}

export interface Details {
  /** For `invalid`: every bad field, by its path in the request. */
  errors?: FieldError[]
  /** For `unavailable` and `rate_limited`: when a retry can help. */
  retryAfterMs?: number
  /** More members of the problem document, e.g. `currentVersion`; never content, SQL, hosts or secrets. */
  [member: string]: unknown
}

/** An expected failure. Its message and details are shown to the caller. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: Code
  readonly details: Details

  constructor(code: Code, message: string, details: Details = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }

  get status(): number {
    return STATUS[this.code]
  }
}

/** A batch of 500 bad items is not answered with 500 sentences. */
const NAMED = 50

/** A request whose fields are wrong, named one by one. */
export const invalid = (errors: FieldError[]): Refusal => {
  const sentences = errors.slice(0, 5).map((each) => `${each.path}: ${each.message}`)
  if (errors.length > 5) sentences.push(`and ${errors.length - 5} more`)
  return new Refusal('invalid', sentences.join('; '), { errors: errors.slice(0, NAMED) })
}
