import type { Deps } from '@twofold/core/ports.ts'
import { lambdaHandler } from '@twofold/operation/http.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { composed } from './deps.ts'

type Handler = ReturnType<typeof lambdaHandler>

/** The Lambda handler of one operation, over what this process is made of; made at the first invocation. What it leaves to be noted is noted before it answers: a container that nobody asks anything is frozen and may not wake again. */
export function lambda(operation: AnyOperation<Deps>): Handler {
  let handler: Handler | null = null
  return async (event, context) => {
    const { surroundings, deps } = await composed()
    handler ??= lambdaHandler(operation, surroundings)
    const answer = await handler(event, context)
    await deps.audit.flush()
    return answer
  }
}
