import { type Label, METRICS, type Metric, type MetricName, type Metrics, spread } from './table.ts'
import { samplesOf, type Telemetry } from './telemetry.ts'

export interface EmfSettings {
  /** CloudWatch's namespace of these metrics. */
  namespace: string
  now(): Date
  /** Where a line goes; default standard output, which Lambda brings into its log as it is. */
  write?(line: string): void
}

/** One line: what is in it beside metrics, and the metrics, by the label that tells their series apart. */
interface Line {
  fields: Record<string, string>
  values: Map<string, { value: number; metric: Metric; each: string | null }>
}

/**
 * The same metrics for a function of Lambda: each request leaves one line of the log in CloudWatch's embedded metric format
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html), from which
 * CloudWatch itself takes the metrics; nothing is called and nothing is waited for. What a request and what else was
 * counted or set go on one line where they can, when `flush` is called: before the function answers, since nobody knows
 * whether its container ever wakes again.
 */
export function emf({ namespace, now, write = (line) => void process.stdout.write(line) }: EmfSettings): Telemetry {
  let requests: Line[] = []
  let standing = empty()
  return {
    observe(observation) {
      const line = empty()
      for (const { name, labels, value } of samplesOf(observation)) put(line, name, labels, value)
      requests.push(line)
    },
    count(name, given, n = 1) {
      const labels = given as Record<string, string>
      put(standing, name, labels, (standing.values.get(calledIn(name, labels))?.value ?? 0) + n)
    },
    gauge(name, value) {
      if (value === null) standing.values.delete(name)
      else put(standing, name, {}, value)
    },
    flush() {
      const [first = empty(), ...others] = requests
      for (const [name, each] of standing.values) first.values.set(name, each)
      for (const line of [first, ...others]) if (line.values.size > 0) write(`${JSON.stringify(written(line, namespace, now()))}\n`)
      requests = []
      standing = empty()
    },
    text: async () => DECLARED,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  }
}

const empty = (): Line => ({ fields: {}, values: new Map() })

const calledIn = (name: MetricName, labels: Record<string, string>): string => {
  const over = spread(METRICS[name])
  return over ? `${name}_${labels[over.label]}` : name
}

function put({ fields, values }: Line, name: MetricName, labels: Record<string, string>, value: number): void {
  const metric: Metric = METRICS[name]
  let each: string | null = null
  for (const [label, made] of Object.entries<Label>(metric.labels)) {
    if (typeof made !== 'string') continue
    fields[label] = labels[label] as string
    if (made === 'each') each = label
  }
  values.set(calledIn(name, labels), { value: Number(value.toFixed(6)), metric, each })
}

/** Beside the sum of all series there is one for each value of the label that tells them apart. */
function written({ fields, values }: Line, namespace: string, at: Date): object {
  const directives = [...Map.groupBy(values, ([, { each }]) => each)].map(([each, of]) => ({
    Namespace: namespace,
    Dimensions: each === null ? [[]] : [[], [each]],
    Metrics: of.map(([Name, { metric }]) => ({ Name, Unit: metric.unit })),
  }))
  const numbers = [...values].map(([name, { value }]) => [name, value])
  return { _aws: { Timestamp: at.getTime(), CloudWatchMetrics: directives }, ...fields, ...Object.fromEntries(numbers) }
}

const typeOf = ([name, { help, kind }]: [string, Metrics[MetricName]]) => `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`
/** A container of Lambda knows its own requests alone, so it shows none of them. */
const DECLARED = `# The numbers of these metrics are in CloudWatch.\n${Object.entries(METRICS).map(typeOf).join('')}`
