import type { Caller } from '@twofold/operation/caller.ts'
import { Answer, type AnyOperation } from '@twofold/operation/operation.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { Deps, Noted } from '../ports.ts'

/** What is about memory, as opposed to keys, tenants and the stores themselves. */
const OF_MEMORY = /^(memories|sessions|graph|documents):(read|write)$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Known by the caller's own ids, which may look like any other. */
const NAMED = /^(sessions|conversations)\./
/** Of nobody: there is no tenant in whose audit it could stand. */
const NOBODYS = new Set(['unauthenticated'])

type Asked = Pick<AnyOperation<never>, 'name' | 'scope' | 'write' | 'path'>
type Input = Readonly<Record<string, unknown>>

/**
 * Carries out an operation and has it noted who asked for what: reads of memory, and whatever of it was refused. What was
 * written stands in the audit already, by the very transaction that wrote it.
 */
export async function audited<T>(deps: Deps, operation: Asked, input: Input, caller: Caller, work: () => Promise<T> | T): Promise<T> {
  const about = OF_MEMORY.test(operation.scope ?? '')
  const note = (outcome: string, answer?: unknown) => deps.audit.note(noteOf(deps, operation, input, caller, outcome, answer))
  try {
    const answer = await work()
    if (about && !operation.write) note('ok', answer)
    return answer
  } catch (error) {
    if (about && error instanceof Refusal && !NOBODYS.has(error.code)) note(error.code)
    throw error
  }
}

function noteOf(deps: Deps, { name, path }: Asked, input: Input, caller: Caller, outcome: string, answer: unknown): Noted {
  const known = deps.verifiedKeys.get(caller.keyHash)
  const id = path.includes('{id}') ? text(input.id) : text((input.start as Input | undefined)?.memoryId)
  const answered = shown(answer)
  return {
    at: deps.now().toISOString(),
    key: known?.keyId ?? null,
    hash: known ? null : caller.keyHash.toString('hex'),
    onBehalfOf: caller.onBehalfOf,
    requestId: caller.requestId,
    action: name,
    target: NAMED.test(name) ? text(answered.key) : id !== null && UUID.test(id) ? id : null,
    named: NAMED.test(name) ? id : null,
    namespace: placeIn(input) ?? (id === null ? only(known?.grants) : (text(answered.namespace) ?? text(answered.subject))),
    outcome,
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Where a request says it looks or writes. */
function placeIn({ namespace, namespacePrefix, userId, subject, prefix }: Input): string | null {
  return text(namespace) ?? text(namespacePrefix) ?? (text(userId) === null ? (text(subject) ?? text(prefix)) : `user:${text(userId)}`)
}

/** What is answered, as far as it says where it lies; else the database has to be asked. */
function shown(answer: unknown): Input {
  const output: unknown = answer instanceof Answer ? answer.output : answer
  const things: Input[] = typeof output === 'object' && output !== null ? [output, ...Object.values(output)] : []
  return things.find((thing) => text(thing?.namespace) !== null || text(thing?.subject) !== null) ?? {}
}

/** What was asked of everything was asked of what the key may see. */
const only = (grants: readonly string[] = []): string => (grants.length === 1 && grants[0] !== '*' ? (grants[0] as string) : '')
