import { audited } from '@twofold/core/audit/note.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { type Declare, operation as declare, type Operation } from '@twofold/operation/operation.ts'

/** Declares an operation over the deps of this product. Whoever asks for it, and in whatever protocol, is noted in the audit. */
export const operation: Declare<Deps> = (declaration) => {
  const declared: Operation<Deps, any, any> = declare({
    ...declaration,
    handle: (deps, input, caller) =>
      audited(deps, declared, input as Record<string, unknown>, caller, () => declaration.handle(deps, input, caller)),
  })
  return declared
}
