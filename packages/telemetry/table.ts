import type { Gauge } from '@twofold/core/ports.ts'
import { type Code, STATUS } from '@twofold/operation/refusal.ts'

/** As CloudWatch calls them. */
export type Unit = 'Seconds' | 'Milliseconds' | 'Percent' | 'Bytes' | 'Count' | 'None'

/**
 * What CloudWatch, which is paid by the series, makes of a label: `each` value a series beside the sum of all; only a `field` of
 * the log line; or, where the values are known, a metric of its own for each, `name_value`.
 */
export type Label = 'each' | 'field' | readonly string[]

export interface Metric {
  kind: 'histogram' | 'counter' | 'gauge'
  unit: Unit
  /** What it means. */
  help: string
  labels: Readonly<Record<string, Label>>
}

/** Of a request, by who measures it: see `Timings`. */
export const PARTS = ['cache', 'db', 'embed', 'extract', 'graph', 'infer'] as const
const CODES = Object.keys(STATUS) as Code[]

/** Every metric of the service, wherever it is published. No label ever names a tenant, a namespace or a key. */
export const METRICS = {
  twofold_operation_duration_seconds: {
    kind: 'histogram',
    unit: 'Seconds',
    help: 'How long a request took, by operation and HTTP status.',
    labels: { operation: 'each', status: 'field' },
  },
  twofold_operation_own_seconds: {
    kind: 'histogram',
    unit: 'Seconds',
    help: 'How long a request took beside what models took of it.',
    labels: { operation: 'field' },
  },
  twofold_operation_part_seconds: {
    kind: 'histogram',
    unit: 'Seconds',
    help: 'How much of a request went to one part of it (db, embed, graph, cache).',
    labels: { operation: 'field', part: PARTS },
  },
  twofold_failures_total: {
    kind: 'counter',
    unit: 'Count',
    help: 'Requests answered by a status of 500 or more, by operation.',
    labels: { operation: 'each' },
  },
  twofold_refusals_total: {
    kind: 'counter',
    unit: 'Count',
    help: 'Requests that were refused, by operation and code.',
    labels: { operation: 'field', code: [...CODES, 'gone_away'] },
  },
  twofold_replays_total: {
    kind: 'counter',
    unit: 'Count',
    help: 'Requests answered from their idempotency key.',
    labels: { operation: 'field' },
  },
  twofold_graph_total: {
    kind: 'counter',
    unit: 'Count',
    help: 'Sessions opened and closed in Neo4j, transactions begun, attempts repeated.',
    labels: { what: ['session', 'closed', 'transaction', 'retry'] },
  },
  twofold_cache_total: {
    kind: 'counter',
    unit: 'Count',
    help: 'Cache lookups that hit or missed, and commands that failed.',
    labels: { outcome: ['hit', 'miss', 'failure'] },
  },
  ...gauges({
    twofold_agreement_min_percent: ['Percent', 'Of all tenants, how far the two stores agree where they agree least.'],
    twofold_agreement_below_90: ['Count', 'Tenants whose two stores agree by less than 90 percent: to be alarmed about.'],
    twofold_agreement_unknown: ['Count', 'Tenants of which this could not be said: the graph was out of reach, or there was no time.'],
    twofold_owed: ['Count', 'Graph writes on their way.'],
    twofold_oldest_owed_ms: ['Milliseconds', 'How long the oldest of them has been.'],
    twofold_parked: ['Count', 'Graph writes that used up their attempts.'],
    twofold_drift_open: ['Count', 'Differences that were found and not repaired yet.'],
    twofold_database_bytes: ['Bytes', 'How large the database is, with its indexes.'],
    twofold_measured_at_seconds: ['Seconds', 'When all this was measured last, in seconds since 1970.'],
  }),
} as const satisfies Record<string, Metric>

function gauges(of: Record<Gauge, [Unit, string]>) {
  const gauge = ([unit, help]: [Unit, string]) => ({ kind: 'gauge', unit, help, labels: {} }) as const
  return Object.fromEntries(Object.entries(of).map(([name, each]) => [name, gauge(each)])) as Record<Gauge, ReturnType<typeof gauge>>
}

export type Metrics = typeof METRICS
export type MetricName = keyof Metrics
export type Named<K extends Metric['kind']> = { [N in MetricName]: Metrics[N]['kind'] extends K ? N : never }[MetricName]
type ValueOf<L> = L extends readonly (infer V)[] ? V : string
export type Labels<N extends MetricName> = { [L in keyof Metrics[N]['labels']]: ValueOf<Metrics[N]['labels'][L]> }

/** The label of a metric that is part of its name in CloudWatch, and its values; null: none is. */
export function spread({ labels }: Metric): { label: string; values: readonly string[] } | null {
  const found = Object.entries(labels).find(([, label]) => typeof label !== 'string')
  return found ? { label: found[0], values: found[1] as readonly string[] } : null
}

/** What a metric is called in CloudWatch: its name, or for each value of a label that is spread the name with that. */
export function cloudNames(name: MetricName): string[] {
  const over = spread(METRICS[name])
  return over ? over.values.map((value) => `${name}_${value}`) : [name]
}
