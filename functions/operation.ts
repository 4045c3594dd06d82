import { audited } from '@twofold/core/audit/note.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { placedFor } from '@twofold/core/tenants/placed.ts'
import { type Declaration, operation as declare, type Operation } from '@twofold/operation/operation.ts'
import type { z } from 'zod-own'
import { type AnyPart, holding } from './needs.ts'

/**
 * Declares an operation over the deps of this product, of which it gets what it says it `needs`, where its caller lives. Whoever asks for it, and in
 * whatever protocol, is noted in the audit.
 */
export const operation = <I extends z.ZodType, O extends z.ZodType>(
  declaration: Declaration<Deps, I, O> & { needs?: readonly AnyPart[] },
): Operation<Deps, I, O> => {
  const its = holding(declaration.needs ?? [])
  const declared: Operation<Deps, any, any> = declare({
    ...declaration,
    handle: (deps, input, caller) =>
      placedFor(deps, caller, (at) =>
        audited(at, declared, input as Record<string, unknown>, caller, () => declaration.handle(its(at), input, caller)),
      ),
  })
  return declared
}
