import { setTimeout as sleep } from 'node:timers/promises'
import { once } from '@twofold/operation/http.ts'
import { emf } from '@twofold/telemetry/emf.ts'
import { assemble, type Composed } from './assemble.ts'
import { inLambda, misspelt, readEnv } from './env.ts'
import type { AnyPart } from './needs.ts'
import type { Need } from './variables.ts'

/**
 * Carries out one invocation. What that leaves to be noted and counted is, before it ends: a container that nobody asks
 * anything is frozen and may not wake again.
 */
type Container = <T>(work: (composed: Composed) => Promise<T>) => Promise<T>

/** How long an answer waits for that, at most: the gateway gives up five seconds after an operation's deadline. What is late is noted with the next. */
const NOTES_MS = 2_000

let own: (() => Promise<Composed>) | null = null

/**
 * What a function of the cloud is made of: what it needs and nothing else, once for all its invocations. Lambda has it made
 * while it loads the function, so that a configuration that cannot be used stops it there and meets no request; anywhere else
 * the first call makes it. `also` it needs variables of more than its parts.
 */
export function container(needs: readonly AnyPart[], also: readonly Need[] = []): Container {
  const made = once(() => make(needs, also))
  if (inLambda()) {
    // Nobody waits for it, so what it refuses ends the process.
    if (own === null) queueMicrotask(() => void own?.())
    // Of all functions that one bundle holds its own is evaluated last.
    own = made
  }
  return async (work) => {
    const composed = await made()
    try {
      return await work(composed)
    } finally {
      await Promise.race([composed.flush(), sleep(NOTES_MS, undefined, { ref: false })])
    }
  }
}

async function make(needs: readonly AnyPart[], also: readonly Need[]): Promise<Composed> {
  const env = readEnv(undefined, { needs: [...needs.map(({ name }) => name), ...also] })
  const now = () => new Date()
  // Elsewhere nobody reads metrics from what a process says.
  const telemetry = emf({ namespace: env.METRICS_NAMESPACE, now, ...(inLambda() ? {} : { write() {} }) })
  const composed = await assemble(env, needs, telemetry)
  if (inLambda()) for (const line of misspelt()) composed.deps.log.warn('configuration.misspelt', { line })
  return composed
}
