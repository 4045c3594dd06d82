import { cloudNames, METRICS, type Metric, type MetricName } from '@twofold/telemetry/table.ts'
import type { MadeQueue } from './queues.ts'
import type { Told } from './secrets.ts'

type Input<T> = $util.Input<T>

export interface Shown {
  told: Told
  api: sst.aws.ApiGatewayV2
  queues: readonly MadeQueue[]
  /** Arns, worst news first. */
  alarms: readonly Input<string>[]
}

/** One chart, as CloudWatch wants its properties. */
interface Chart {
  title: string
  stat?: string
  /** Series: namespace, metric, then names and values of dimensions, then how it is drawn; or an expression. */
  metrics: readonly (readonly unknown[])[]
}

const PERIOD_SECONDS = 300
const [COLUMNS, WIDTH, HEIGHT] = [24, 8, 6]

/** One page about the stage: its alarms, what AWS sees of it, and every metric that the code declares. */
export function makeDashboard({ told, api, queues, alarms }: Shown): aws.cloudwatch.Dashboard {
  const namespace = told.environment.METRICS_NAMESPACE
  const region = aws.getRegionOutput().region
  const charts = [...ofAws(api, queues), ...(Object.keys(METRICS) as MetricName[]).flatMap((name) => ofMetric(namespace, name))]
  const widgets = charts.map(({ stat = 'Sum', ...chart }, i) => ({
    type: 'metric',
    x: (i * WIDTH) % COLUMNS,
    y: HEIGHT * (1 + Math.floor((i * WIDTH) / COLUMNS)),
    width: WIDTH,
    height: HEIGHT,
    properties: { region, period: PERIOD_SECONDS, view: 'timeSeries', stat, ...chart },
  }))
  const standing = { type: 'alarm', x: 0, y: 0, width: COLUMNS, height: HEIGHT, properties: { title: 'Alarms', alarms } }
  return new aws.cloudwatch.Dashboard('Dashboard', {
    dashboardName: `${$app.name}-${$app.stage}`,
    dashboardBody: $util.jsonStringify({ widgets: [standing, ...widgets] }),
  })
}

function ofAws(api: sst.aws.ApiGatewayV2, queues: readonly MadeQueue[]): Chart[] {
  const asked = (metric: string, drawn: object) => ['AWS/ApiGateway', metric, 'ApiId', api.nodes.api.id, drawn]
  const inQueue = (metric: string) =>
    queues.flatMap(({ queue, dead }) => [queue, dead]).map(({ nodes }) => ['AWS/SQS', metric, 'QueueName', nodes.queue.name])
  return [
    {
      title: 'Requests, and those that failed',
      metrics: [asked('Count', { stat: 'SampleCount' }), asked('4xx', { stat: 'Sum' }), asked('5xx', { stat: 'Sum' })],
    },
    { title: 'How long callers wait', metrics: ['p50', 'p95', 'p99'].map((stat) => asked('Latency', { stat, label: stat })) },
    {
      title: 'Lambda, of the whole account',
      metrics: [
        ['AWS/Lambda', 'ConcurrentExecutions', { stat: 'Maximum' }],
        ...['Invocations', 'Errors', 'Throttles'].map((metric) => ['AWS/Lambda', metric]),
      ],
    },
    { title: 'Messages that wait', stat: 'Maximum', metrics: inQueue('ApproximateNumberOfMessagesVisible') },
    { title: 'How long the oldest message waits', stat: 'Maximum', metrics: inQueue('ApproximateAgeOfOldestMessage') },
  ]
}

/** What is told apart by a label is shown altogether, and beside that each by itself. */
function ofMetric(namespace: string, name: MetricName): Chart[] {
  const { kind, help, labels }: Metric = METRICS[name]
  const [each] = Object.entries(labels).flatMap(([label, made]) => (made === 'each' ? [label] : []))
  const shown = STATS[kind]
  const lines = cloudNames(name).flatMap((called) =>
    shown.map((stat) => [namespace, called, { stat, label: labelOf(name, called, stat, shown) }]),
  )
  const apart = (stat: string) => [
    { expression: `SEARCH('{"${namespace}",${each}} MetricName="${name}"', '${stat}', ${PERIOD_SECONDS})`, id: 'each', label: '' },
  ]
  return [
    { title: help, metrics: lines },
    ...(each ? [{ title: `${help} Each ${each}.`, metrics: [apart(kind === 'histogram' ? 'p95' : 'Sum')] }] : []),
  ]
}

const STATS: Record<Metric['kind'], readonly string[]> = { histogram: ['p50', 'p95', 'p99'], counter: ['Sum'], gauge: ['Maximum'] }

const labelOf = (name: string, called: string, stat: string, shown: readonly string[]): string =>
  [called === name ? '' : called.slice(name.length + 1), shown.length > 1 || called === name ? stat : ''].filter(Boolean).join(' ')
