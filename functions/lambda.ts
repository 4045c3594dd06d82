import type { Deps } from '@twofold/core/ports.ts'
import { lambdaHandler } from '@twofold/operation/http.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { surroundings } from './deps.ts'

/** The Lambda handler of one operation, over this process's deps, which are made at the first request. */
export const lambda = (operation: AnyOperation<Deps>) => lambdaHandler(operation, surroundings)
