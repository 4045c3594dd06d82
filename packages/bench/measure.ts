/** Milliseconds of each of a number of requests. */
export type Samples = readonly number[]

export interface Latency {
  n: number
  p50: number
  p95: number
  p99: number
}

export function latency(samples: Samples): Latency {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
  return { n: samples.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now()
  const value = await work()
  return { value, ms: performance.now() - start }
}

/** A request that can be sent for any number. */
export type Ask = (i: number) => Promise<unknown>

export interface Turns {
  rounds: number
  /** Rounds before those, which are not counted. */
  warm: number
  /** How many of one are asked before it is the next one's turn. */
  block?: number
  /** Waited for before each turn. */
  rest?: () => Promise<void>
}

/** Asks all of them by turns, so that whatever else the machine does meanwhile slows each alike. */
export async function byTurns<Name extends string>(
  asks: Record<Name, Ask>,
  { rounds, warm, block = 1, rest }: Turns,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(asks) as Name[]
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let first = 0; first < warm + rounds; first += block) {
    for (const name of names) {
      await rest?.()
      for (let i = first; i < Math.min(first + block, warm + rounds); i++) {
        const { ms } = await timed(() => asks[name](i))
        if (i >= warm) samples[name].push(ms)
      }
    }
  }
  return samples
}

/** How many a second when `writers` ask at once, each its next as soon as it has an answer. */
export async function throughput(ask: Ask, requests: number, writers: number): Promise<number> {
  let next = 0
  const writer = async () => {
    while (next < requests) await ask(next++)
  }
  const { ms } = await timed(() => Promise.all(Array.from({ length: writers }, writer)))
  return requests / (ms / 1000)
}
