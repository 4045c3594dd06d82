import type { Deps } from '@twofold/core/ports.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { ofMemory } from './of-memory.ts'
import { docs } from './system/docs.ts'
import { live } from './system/live.ts'
import { metrics } from './system/metrics.ts'
import { openapi } from './system/openapi.ts'
import { ready } from './system/ready.ts'

/** Everything a caller can ask for. Routes, the OpenAPI document and the Lambda functions are derived from it. */
export const operations: readonly AnyOperation<Deps>[] = [...ofMemory, live, ready, metrics, openapi, docs]
