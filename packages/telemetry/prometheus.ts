import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { METRICS, type Metric, type MetricName } from './table.ts'
import { samplesOf, type Telemetry } from './telemetry.ts'

/** From a cached read of 1 ms to a batch that waits for the graph. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25]

/** The metrics of one process for whoever scrapes it; each call has a registry of its own. `processes` adds memory, CPU and event loop of the process. */
export function prometheus({ processes = false } = {}): Telemetry {
  const registry = new Registry()
  if (processes) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
  const histograms = new Map<string, Histogram>()
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  for (const [name, metric] of Object.entries<Metric>(METRICS)) {
    const settings = { name, help: metric.help, labelNames: Object.keys(metric.labels), registers: [registry] }
    if (metric.kind === 'histogram') histograms.set(name, new Histogram({ ...settings, buckets: SECONDS }))
    if (metric.kind === 'counter') counters.set(name, new Counter(settings))
    if (metric.kind === 'gauge') {
      const gauge = new Gauge(settings)
      // Without labels it would begin as 0, which nobody has measured.
      gauge.remove()
      gauges.set(name, gauge)
    }
  }
  const add = (name: MetricName, labels: Record<string, string>, n: number) => {
    histograms.get(name)?.observe(labels, n)
    counters.get(name)?.inc(labels, n)
  }
  return {
    observe(observation) {
      for (const { name, labels, value } of samplesOf(observation)) add(name, labels, value)
    },
    count: (name, labels, n = 1) => add(name, labels as Record<string, string>, n),
    gauge(name, value) {
      if (value === null) gauges.get(name)?.remove()
      else gauges.get(name)?.set(value)
    },
    flush() {},
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
