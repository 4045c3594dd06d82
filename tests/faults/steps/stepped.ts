import { writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { GraphStoreError, SqlError, VectorStoreError } from '@twofold/core/failures.ts'
import type { Deps } from '@twofold/core/ports.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** Where a process stops: at the `nth` time that it comes by this place, before the call or after it. */
export interface Stop {
  at: string
  nth: number
  moment: 'before' | 'after'
  how: 'kill' | 'freeze'
}

/** A place whose call fails in this way instead. */
export interface Failing {
  at: string
  with: 'graph refuses' | 'graph away' | 'postgres refuses' | 'postgres away'
}

export interface Stepping {
  /** Work for other tenants is not counted. */
  tenant: string
  stop: Stop | null
  failing: readonly Failing[]
}

/** What is written to stdout before the process is frozen. */
export const FROZEN = 'frozen\n'

/** Puts a step before and after whatever the ports change with these methods. The next work begins with what is answered, and what that answers fills with the places it comes by. */
export function stepped(deps: Deps, methods: readonly string[]): (stepping: Stepping) => string[] {
  let stepping: Stepping = { tenant: '', stop: null, failing: [] }
  let passed: string[] = []
  const step = (method: string, real: (...args: unknown[]) => Promise<unknown>) =>
    async function stepped(...args: unknown[]): Promise<unknown> {
      const at = callerOf(stepped)
      const [first, , , options] = args
      const others = typeof first === 'string' && /^[\da-f]{8}-/.test(first) && first !== stepping.tenant
      const reads = method === 'asCaller' && (options as { write?: boolean } | undefined)?.write !== true
      if (at === null || others || reads) return real(...args)
      passed.push(at)
      const nth = passed.filter((each) => each === at).length
      const stop = (moment: Stop['moment']) => {
        const wanted = stepping.stop
        if (wanted && wanted.at === at && wanted.nth === nth && wanted.moment === moment) halt(wanted.how)
      }
      stop('before')
      try {
        const failing = stepping.failing.find((each) => each.at === at)
        if (failing) throw failureOf(failing.with)
        return await real(...args)
      } finally {
        stop('after')
      }
    }
  for (const name of ['db', 'graph', 'cache', 'queue'] as const) {
    const port = deps[name] as unknown as Record<string, unknown>
    const wrapped = Object.fromEntries(
      methods.flatMap((method) => {
        const real = port[method]
        return typeof real === 'function' ? [[method, step(method, real.bind(port) as (...args: unknown[]) => Promise<unknown>)]] : []
      }),
    )
    Object.assign(deps, { [name]: { ...port, ...wrapped } })
  }
  return (next) => {
    stepping = next
    passed = []
    return passed
  }
}

/** The line and column in the product that called, as they stand in the file; null for whoever else did. */
function callerOf(called: (...args: never) => unknown): string | null {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, called)
  const [, frame = ''] = (holder.stack ?? '').split('\n')
  const [, url, line, column] = /(file:\S+?):(\d+):(\d+)\)?$/.exec(frame) ?? []
  if (!url) return null
  const file = fileURLToPath(url)
  return file.startsWith(ROOT) ? `${file.slice(ROOT.length)}:${line}:${column}` : null
}

const failureOf = (what: Failing['with']): Error => {
  const cause = new Error(what)
  if (what === 'postgres refuses') return new SqlError('54000', what)
  if (what === 'postgres away') return new VectorStoreError('asTenant', { retryable: true, cause })
  return new GraphStoreError('apply', { retryable: what === 'graph away', cause })
}

/** Really: nothing is cleaned up, no answer is sent. A frozen process goes on from here when it is told to. */
function halt(how: Stop['how']): void {
  if (how === 'freeze') writeSync(1, FROZEN)
  process.kill(process.pid, how === 'kill' ? 'SIGKILL' : 'SIGSTOP')
}
