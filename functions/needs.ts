import type { Deps, Log } from '@twofold/core/ports.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import type { Telemetry } from '@twofold/telemetry/telemetry.ts'
import type { Env } from './env.ts'

/** Ports that ask a model. */
export const MODELS = ['embedder', 'extractor', 'language'] as const
/** What not every function needs. Postgres, the cache and the audit all have. */
export const PORTS = ['graph', ...MODELS, 'queue'] as const
export type Port = (typeof PORTS)[number]

/** What a part stands on. */
export interface Ground extends Pick<Deps, 'db' | 'now'> {
  log: Log
  telemetry: Telemetry
}

export interface Opened<P extends Port> {
  port: Deps[P]
  close?(): Promise<void>
}

/** One of the ports as this product fills it. Only what needs it imports it, so that no other bundle holds what it stands on. */
export interface Part<P extends Port> {
  readonly name: P
  open(env: Env, ground: Ground): Opened<P> | Promise<Opened<P>>
}
export type AnyPart = { [P in Port]: Part<P> }[Port]

/** What these operations need together, each part once. */
export function needsOf(operations: readonly AnyOperation<Deps>[]): readonly AnyPart[] {
  // `operation` takes nothing but parts.
  const parts = operations.flatMap(({ needs }) => needs as readonly AnyPart[])
  return [...new Map(parts.map((part) => [part.name, part])).values()]
}

/**
 * The deps as something that declared these needs gets them, wherever it runs: what it did not declare throws when it is
 * used. So a declaration that lacks something is found by whichever test comes by, and not by the first caller in the cloud.
 */
export function holding(needs: readonly { readonly name: string }[]): <D extends object>(deps: D) => D {
  const others = PORTS.filter((port) => !needs.some(({ name }) => name === port))
  const held = new WeakMap<object, object>()
  return <D extends object>(deps: D): D => {
    const known = held.get(deps) as D | undefined
    if (known) return known
    const there = deps as Partial<Pick<Deps, Port>>
    const closed = others.map((port) => [port, { get: () => undeclared(port, there[port] ?? null) }])
    const mine: D = Object.create(deps, Object.fromEntries(closed))
    held.set(deps, mine)
    return mine
  }
}

/** A port that was not declared still says what it is (which model, of how many dimensions); asked for anything else it throws. Null stays null: there is none. */
export function undeclared<P extends Port>(port: P, known: Partial<Deps[P]> | null): Deps[P] {
  if (known === null) return null as Deps[P]
  return new Proxy(known as object, {
    get(target, member) {
      const value = Reflect.get(target, member)
      if (value !== undefined && typeof value !== 'function') return value
      throw new Error(`${port}.${String(member)} is used without being declared: add ${port} to the needs of what uses it`)
    },
  }) as Deps[P]
}
