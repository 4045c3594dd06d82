import type { Deps } from '@twofold/core/ports.ts'
import { lambdaHandler } from '@twofold/operation/http.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { container } from './container.ts'
import { needsOf } from './needs.ts'

type Handler = ReturnType<typeof lambdaHandler>

/** The Lambda handler of one operation, over what it needs. */
export function lambda(operation: AnyOperation<Deps>): Handler {
  const within = container(needsOf([operation]))
  let handler: Handler | null = null
  return (event, context) =>
    within(async ({ surroundings }) => {
      handler ??= lambdaHandler(operation, surroundings)
      return handler(event, context)
    })
}
