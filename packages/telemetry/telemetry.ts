import type { Gauge } from '@twofold/core/ports.ts'
import type { Observation } from '@twofold/operation/http.ts'
import type { Labels, MetricName, Metrics, Named } from './table.ts'

/** What a process counts by itself; the others follow from its requests. */
export type Counted = { [N in Named<'counter'>]: 'operation' extends keyof Metrics[N]['labels'] ? never : N }[Named<'counter'>]

/** The numbers of one process. None of it throws. */
export interface Telemetry {
  /** Every number that one request leaves; what operations are served with as `observe`. */
  observe(observation: Observation): void
  count<N extends Counted>(name: N, labels: Labels<N>, n?: number): void
  /** What stands until the next call; null: not known, so nothing is shown. */
  gauge(name: Gauge, value: number | null): void
  /** Publishes what has gathered since the last time, where that is not done by whoever asks for `text`. */
  flush(): void
  /** All of it as Prometheus reads it, and the media type of that. */
  text(): Promise<string>
  readonly contentType: string
}

/** One number of one request. */
export type Sample = { [N in MetricName]: { name: N; labels: Labels<N>; value: number } }[MetricName]

/** Every number that one request leaves. */
export function samplesOf({ operation: name, status, code, ms, parts, replayed }: Observation): Sample[] {
  const operation = name ?? 'none'
  const of = (part: string) => parts.get(part) ?? 0
  // A text is embedded while entities are extracted from it.
  const models = of('infer') + Math.max(of('embed'), of('extract'))
  const one = { labels: { operation }, value: 1 }
  return [
    { name: 'twofold_operation_duration_seconds', labels: { operation, status: String(status) }, value: ms / 1000 },
    { name: 'twofold_operation_own_seconds', labels: { operation }, value: Math.max(0, ms - models) / 1000 },
    ...[...parts].map(([part, each]) => sample('twofold_operation_part_seconds', { operation, part }, each / 1000)),
    ...(status >= 500 ? [{ name: 'twofold_failures_total' as const, ...one }] : []),
    ...(code ? [sample('twofold_refusals_total', { operation, code }, 1)] : []),
    ...(replayed ? [{ name: 'twofold_replays_total' as const, ...one }] : []),
  ]
}

/** With a value of a label that is one of the known ones though its type does not say so. */
const sample = (name: MetricName, labels: Record<string, string>, value: number): Sample => ({ name, labels, value }) as Sample
