import type { Deps } from '@twofold/core/ports.ts'
import { type Declare, operation as declare } from '@twofold/operation/operation.ts'

/** Declares an operation over the deps of this product. */
export const operation: Declare<Deps> = declare
