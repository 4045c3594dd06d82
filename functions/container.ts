import { once } from '@twofold/operation/http.ts'
import { assemble, type Composed } from './assemble.ts'
import { inLambda, readEnv } from './env.ts'
import type { AnyPart } from './needs.ts'

type Container = () => Promise<Composed>

let own: Container | null = null

/**
 * What a function of the cloud is made of: what it needs and nothing else, once for all its invocations. Lambda has it made
 * while it loads the function, so that a configuration that cannot be used stops it there and meets no request; anywhere else
 * the first call makes it.
 */
export function container(needs: readonly AnyPart[]): Container {
  const made = once(() => assemble(readEnv(), needs))
  if (inLambda()) {
    // Nobody waits for it, so what it refuses ends the process.
    if (own === null) queueMicrotask(() => void own?.())
    // Of all functions that one bundle holds its own is evaluated last.
    own = made
  }
  return made
}
