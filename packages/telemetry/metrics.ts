import type { Gauge as GaugeName } from '@twofold/core/ports.ts'
import type { Observation } from '@twofold/operation/http.ts'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

interface Metric {
  kind: 'histogram' | 'counter' | 'gauge'
  help: string
  labels: readonly string[]
  buckets?: readonly number[]
}

/** From a cached read of 1 ms to a batch that waits for the graph. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25]

/** Every metric of the service. No label ever names a tenant, a namespace or a key. */
export const METRICS = {
  twofold_operation_duration_seconds: {
    kind: 'histogram',
    help: 'How long a request took, by operation and HTTP status.',
    labels: ['operation', 'status'],
    buckets: SECONDS,
  },
  twofold_operation_part_seconds: {
    kind: 'histogram',
    help: 'How much of a request went to one part of it (db, embed, graph, cache).',
    labels: ['operation', 'part'],
    buckets: SECONDS,
  },
  twofold_refusals_total: { kind: 'counter', help: 'Requests that were refused, by operation and code.', labels: ['operation', 'code'] },
  twofold_replays_total: { kind: 'counter', help: 'Requests answered from their idempotency key.', labels: ['operation'] },
  twofold_graph_total: {
    kind: 'counter',
    help: 'Sessions opened and closed in Neo4j, transactions begun, attempts repeated.',
    labels: ['what'],
  },
  twofold_cache_total: { kind: 'counter', help: 'Cache lookups that hit or missed, and commands that failed.', labels: ['outcome'] },
  ...gauges({
    twofold_agreement_min_percent: 'Of all tenants, how far the two stores agree where they agree least.',
    twofold_agreement_below_90: 'Tenants whose two stores agree by less than 90 percent: to be alarmed about.',
    twofold_agreement_unknown: 'Tenants of which this could not be said: the graph was out of reach, or there was no time.',
    twofold_owed: 'Graph writes on their way.',
    twofold_oldest_owed_ms: 'How long the oldest of them has been.',
    twofold_parked: 'Graph writes that used up their attempts.',
    twofold_drift_open: 'Differences that were found and not repaired yet.',
    twofold_measured_at_seconds: 'When all this was measured last, in seconds since 1970.',
  }),
} as const satisfies Record<string, Metric>

function gauges(helps: Record<GaugeName, string>) {
  const of = (help: string) => ({ kind: 'gauge', help, labels: [] }) as const
  return Object.fromEntries(Object.entries(helps).map(([name, help]) => [name, of(help)])) as Record<GaugeName, ReturnType<typeof of>>
}

type Metrics = typeof METRICS
type Named<K extends Metric['kind']> = { [N in keyof Metrics]: Metrics[N]['kind'] extends K ? N : never }[keyof Metrics]
type Labels<N extends keyof Metrics> = Record<Metrics[N]['labels'][number], string>

export interface Telemetry {
  /** Every number that one request leaves; what operations are served with as `observe`. */
  observe(observation: Observation): void
  count<N extends Named<'counter'>>(name: N, labels: Labels<N>, n?: number): void
  /** What stands until the next call; null: not known, so nothing is shown. */
  gauge(name: GaugeName, value: number | null): void
  /** All of it as Prometheus reads it, and the media type of that. */
  text(): Promise<string>
  readonly contentType: string
}

/** The metrics of one process; each call has a registry of its own. `processes` adds memory, CPU and event loop of the process. */
export function metrics({ processes = false } = {}): Telemetry {
  const registry = new Registry()
  if (processes) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
  const made = Object.entries(METRICS).map(([name, metric]) => [name, make(name, metric, registry)] as const)
  const all = Object.fromEntries(made) as {
    [N in keyof Metrics]: { histogram: Histogram; counter: Counter; gauge: Gauge }[Metrics[N]['kind']]
  }

  return {
    observe({ operation: name, status, code, ms, parts, replayed }) {
      const operation = name ?? 'none'
      all.twofold_operation_duration_seconds.observe({ operation, status: String(status) }, ms / 1000)
      for (const [part, each] of parts) all.twofold_operation_part_seconds.observe({ operation, part }, each / 1000)
      if (code) all.twofold_refusals_total.inc({ operation, code })
      if (replayed) all.twofold_replays_total.inc({ operation })
    },
    count: (name, labels, n = 1) => all[name].inc(labels, n),
    gauge: (name, value) => (value === null ? all[name].remove() : all[name].set(value)),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function make(name: string, { kind, help, labels, buckets }: Metric, registry: Registry): Histogram | Counter | Gauge {
  const settings = { name, help, labelNames: [...labels], registers: [registry] }
  if (kind === 'counter') return new Counter(settings)
  if (kind === 'gauge') {
    const gauge = new Gauge(settings)
    // Without labels it would begin as 0, which nobody has measured.
    gauge.remove()
    return gauge
  }
  return new Histogram({ ...settings, buckets: [...(buckets ?? SECONDS)] })
}
