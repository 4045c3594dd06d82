import { storable } from '@twofold/operation/json.ts'
import { invalid, Refusal } from '@twofold/operation/refusal.ts'
import type { SQSRecord } from 'aws-lambda'
import * as z from 'zod-own'

const name = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters')
const Name = name(255)

/** What this takes of a CloudEvent 1.0 in JSON; attributes that it does not know are passed over, as the specification wants it. */
const CloudEvent = z.looseObject({
  specversion: z.literal('1.0'),
  id: Name,
  /** Who did it stands in the audit with `queue:` before it. */
  source: name(249),
  type: Name,
  /** The tenant's id or name. */
  tenant: Name,
  /** Only if this is still the version. */
  ifversion: z.int().min(1).max(2_147_483_647).optional(),
  datacontenttype: z
    .string()
    .regex(/^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;|$)/i, 'must be JSON')
    .optional(),
  data_base64: z.undefined({ error: 'is not taken: data must be JSON' }).optional(),
  data: z.record(z.string(), z.unknown()),
})
export type CloudEvent = z.infer<typeof CloudEvent>

/** One event as it came, with the message that brought it. */
export interface Arrived {
  record: SQSRecord
  event: CloudEvent
}

/** The event of a message. Refuses `invalid`, naming each attribute that is wrong. */
export function eventOf({ body }: SQSRecord): CloudEvent {
  const parsed = CloudEvent.safeParse(json(body))
  if (!parsed.success)
    throw invalid(parsed.error.issues.map(({ path, message }) => ({ path: path.length > 0 ? path.join('.') : 'event', message })))
  storable(parsed.data.data)
  return parsed.data
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal('invalid', 'The message is not JSON.', { errors: [{ path: 'event', message: 'is not JSON' }] })
  }
}

/**
 * What an event must not overtake: the others of its session or conversation, else of the thing that it names by id. A queue
 * that keeps groups says it itself.
 */
export function lineOf({ record: { messageId, attributes }, event: { tenant, data } }: Arrived): string {
  if (attributes.MessageGroupId !== undefined) return attributes.MessageGroupId
  const about = [data.sessionId, data.conversationId, data.id].find((id) => typeof id === 'string')
  return about === undefined ? messageId : JSON.stringify([tenant, about])
}
