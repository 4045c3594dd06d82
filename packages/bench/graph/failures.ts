import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { GraphPort, Projection } from '@twofold/core/graph/port.ts'
import { pick, random } from '../random.ts'
import { projections } from './given.ts'

export interface Proxy {
  port: number
  /** Breaks one connection that goes through it, whatever is under way there. */
  cut(next: () => number): void
  close(): Promise<void>
}

/** A way to the graph that can break. */
export async function openProxy(to: URL): Promise<Proxy> {
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(to.port), to.hostname)
    open.add(near)
    near.pipe(far).pipe(near)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => undefined)
      one.on('close', () => {
        open.delete(near)
        other.destroy()
      })
    }
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    cut(next) {
      if (open.size > 0) pick([...open], next).resetAndDestroy()
    },
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

export interface Failures {
  operations: number
  failed: number
  cut: number
}

export const OPERATIONS = 10_000
const AT_ONCE = 24
/** Of a hundred operations, after how many a connection is cut. */
const CUT = 0.5

/** All sorts of calls, many at once, of which some are given up, come too late, are refused, throw in the middle or lose their connection. */
export async function fail(graph: GraphPort, proxy: Proxy, tenants: readonly string[]): Promise<Failures> {
  const next = random(4)
  const given = projections(500)
  const rows = (n: number) => Array.from({ length: n }, () => pick(given, next))
  const result: Failures = { operations: 0, failed: 0, cut: 0 }
  let begun = 0
  const worker = async () => {
    while (begun++ < OPERATIONS) {
      if (next() * 100 < CUT) {
        proxy.cut(next)
        result.cut++
      }
      result.operations++
      await operation(graph, pick(tenants, next), rows, next).catch(() => result.failed++)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return result
}

async function operation(graph: GraphPort, tenant: string, rows: (n: number) => Projection[], next: () => number): Promise<void> {
  const gone = new AbortController()
  const troubled = next()
  const trouble = troubled < 0.05 ? { signal: gone.signal } : troubled < 0.1 ? { timeoutMs: 1 + next() * 3 } : {}
  if (trouble.signal) setTimeout(() => gone.abort(), next() * 5)
  const options = { generations: [1], ...trouble }
  const distinct = (n: number) => [...new Map(rows(n).map((row) => [row.id, row])).values()]
  const calls: ((more?: object) => Promise<unknown>)[] = [
    (more) => graph.apply(tenant, distinct(3), { ...options, ...more }),
    (more) => graph.counts(tenant, { ...options, ...more }),
    (more) => graph.held(tenant, [Math.floor(next() * 250)], { ...options, ...more }),
    (more) => {
      const start = [rows(1)[0]?.id as string]
      const ranges = [{ low: '', high: '\u{10FFFF}' }]
      return graph.traverse(tenant, { start, ranges, via: [], direction: 'both', hops: 2, limit: 20 }, { ...options, ...more })
    },
  ]
  if (next() < 0.02) return graph.apply(tenant, [refused(rows(1)[0] as Projection)], options)
  if (next() < 0.5) return void (await pick(calls, next)())
  const throws = next() < 0.2
  await graph.session(
    next() < 0.5 ? 'reuse' : 'atomic',
    async (session) => {
      await pick(calls, next)({ session })
      await pick(calls, next)({ session })
      if (throws) throw new Error('what was begun is given up')
      await pick(calls, next)({ session })
    },
    trouble,
  )
}

/** What no graph can keep as a property. */
const refused = (row: Projection): Projection => (row.gone ? row : { ...row, properties: { value: { nested: true } as never } })
