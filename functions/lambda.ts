import type { Deps } from '@twofold/core/ports.ts'
import { lambdaHandler } from '@twofold/operation/http.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { composed } from './deps.ts'

type Handler = ReturnType<typeof lambdaHandler>

/** The Lambda handler of one operation, over what this process is made of; made at the first invocation. */
export function lambda(operation: AnyOperation<Deps>): Handler {
  let handler: Handler | null = null
  return async (event, context) => {
    handler ??= lambdaHandler(operation, (await composed()).surroundings)
    return handler(event, context)
  }
}
