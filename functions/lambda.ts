import type { Deps } from '@twofold/core/ports.ts'
import { lambdaHandler } from '@twofold/operation/http.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { container } from './container.ts'
import { needsOf } from './needs.ts'

type Handler = ReturnType<typeof lambdaHandler>

/** The Lambda handler of one operation, over what it needs. What it leaves to be noted is noted before it answers: a container that nobody asks anything is frozen and may not wake again. */
export function lambda(operation: AnyOperation<Deps>): Handler {
  const composed = container(needsOf([operation]))
  let handler: Handler | null = null
  return async (event, context) => {
    const { surroundings, deps } = await composed()
    handler ??= lambdaHandler(operation, surroundings)
    const answer = await handler(event, context)
    await deps.audit.flush()
    return answer
  }
}
