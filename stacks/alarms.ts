import { cloudNames, type MetricName } from '@twofold/telemetry/table.ts'
import type { Told } from './secrets.ts'

type Input<T> = $util.Input<T>

/** A series of numbers in CloudWatch. */
interface Series {
  namespace: string
  metricName: string
  /** `Sum`, `Maximum`, …, or a percentile such as `p95`. */
  stat: string
  dimensions?: Record<string, Input<string>>
}

interface Alarm {
  means: string
  /** The series that is looked at, or several by letter and what is made of them. */
  of: Series | { series: Record<string, Series>; expression: string }
  above?: number
  below?: number
  periodSeconds: number
  /** Of so many periods how many must be over it; default: of one, that one. */
  most?: [bad: number, of: number]
  /** What nothing at all means; default: that all is well. */
  silence?: 'fine' | 'alarm'
}

export interface Watched {
  told: Told
  api: sst.aws.ApiGatewayV2
  /** By name, every queue of what had to be given up. */
  dead: Readonly<Record<string, sst.aws.Queue>>
}

const [MINUTE, HOUR, DAY] = [60, 3600, 24 * 3600]
/** Of all requests so many may fail in a month. */
const ERROR_BUDGET = 0.001
/**
 * How many times as fast as a month allows the budget may be used up in a window, and in a short one beside it, so that the alarm
 * ends when the trouble does (https://sre.google/workbook/alerting-on-slos/). Of so few requests a long window says nothing.
 */
const BURNS = {
  fast: { times: 14.4, long: HOUR, short: 5 * MINUTE },
  slow: { times: 6, long: 6 * HOUR, short: 30 * MINUTE },
}
const LEAST_REQUESTS = 50
const GB = 1e9

/** Everything that somebody has to hear of, by name. What each means and what then is to be done is in docs/deploy.md. */
function alarmsOf({ told, dead }: Watched): Record<string, Alarm> {
  const own = (name: MetricName, stat: string): Series => ({
    namespace: told.environment.METRICS_NAMESPACE,
    metricName: cloudNames(name)[0] as string,
    stat,
  })
  // Measured every five minutes unless told otherwise.
  const measured = Math.max(5 * MINUTE, 2 * Math.ceil(told.env.MEASURE_INTERVAL_MS / 60_000) * MINUTE)
  return {
    ...Object.fromEntries(
      Object.entries(dead).map(([name, { nodes }]): [string, Alarm] => [
        `dead-letters-${name}`,
        {
          means: `Something was given up and lies in the dead-letter queue of ${name}.`,
          of: sqs('ApproximateNumberOfMessagesVisible', nodes.queue.name),
          above: 0,
          periodSeconds: 5 * MINUTE,
        },
      ]),
    ),
    'graph-late': {
      means: 'The oldest graph write has been on its way for more than five minutes.',
      of: own('twofold_oldest_owed_ms', 'Maximum'),
      above: 5 * 60_000,
      periodSeconds: measured,
    },
    drift: {
      means: 'The two stores differ, and it was not repaired by itself.',
      of: own('twofold_drift_open', 'Minimum'),
      above: 0,
      periodSeconds: measured,
    },
    agreement: {
      means: 'Of some tenant less than 90 percent is in both stores.',
      of: own('twofold_agreement_min_percent', 'Minimum'),
      below: 90,
      periodSeconds: measured,
    },
    unmeasured: {
      means: 'Nobody has measured for three rounds how the stores stand, so the alarms about them are blind.',
      of: own('twofold_measured_at_seconds', 'SampleCount'),
      below: 1,
      periodSeconds: measured,
      most: [3, 3],
      silence: 'alarm',
    },
    slow: {
      means: 'One request of twenty takes over 100 ms, beside what models take of it.',
      of: own('twofold_operation_own_seconds', 'p95'),
      above: 0.1,
      periodSeconds: 5 * MINUTE,
      most: [3, 3],
    },
    throttles: {
      means: 'Lambda turns invocations away: the account has no more concurrency.',
      of: { namespace: 'AWS/Lambda', metricName: 'Throttles', stat: 'Sum' },
      above: 0,
      periodSeconds: 5 * MINUTE,
      most: [2, 3],
    },
    growth: {
      means: 'The database grows at a pace of more than 1 GB a week.',
      of: { series: { bytes: own('twofold_database_bytes', 'Maximum') }, expression: `RATE(bytes) * ${7 * DAY}` },
      above: GB,
      periodSeconds: DAY,
      most: [2, 3],
    },
  }
}

const sqs = (metricName: string, name: Input<string>): Series => ({
  namespace: 'AWS/SQS',
  metricName,
  stat: 'Maximum',
  dimensions: { QueueName: name },
})

/** How fast failed requests use up what a month allows, whoever failed them: the code, its container, or nobody answered in time. */
function burning({ api }: Watched, times: number, periodSeconds: number, least: number): Alarm {
  const of = (metricName: string, stat: string): Series => ({
    namespace: 'AWS/ApiGateway',
    metricName,
    stat,
    dimensions: { ApiId: api.nodes.api.id },
  })
  return {
    means: `Requests fail ${times} times as fast as 99.9 percent of availability allow, over ${periodSeconds / MINUTE} minutes.`,
    of: {
      series: { requests: of('Count', 'SampleCount'), failed: of('5xx', 'Sum') },
      expression: `IF(requests >= ${least}, FILL(failed, 0) / requests, 0) / ${ERROR_BUDGET}`,
    },
    above: times,
    periodSeconds,
  }
}

/** Every alarm of the stage, told to one topic, and by mail to whom ALARM_EMAIL names. */
export function makeAlarms(watched: Watched): { topic: sst.aws.SnsTopic; alarms: Input<string>[] } {
  const { topic, hearing } = makeTopic(watched.told)
  const alarms: Input<string>[] = Object.entries(alarmsOf(watched)).map(([name, alarm]) => make(name, alarm, hearing).arn)
  for (const [pace, { times, long, short }] of Object.entries(BURNS)) {
    const windows = [
      make(`burning-${pace}-long`, burning(watched, times, long, LEAST_REQUESTS)),
      make(`burning-${pace}-short`, burning(watched, times, short, 1)),
    ]
    const alarm = new aws.cloudwatch.CompositeAlarm(resourceOf(`availability-${pace}`), {
      alarmName: called(`availability-${pace}`),
      alarmDescription: `Requests fail ${times} times as fast as 99.9 percent of availability allow.`,
      alarmRule: $util.all(windows.map(({ name }) => name)).apply((names) => names.map((name) => `ALARM("${name}")`).join(' AND ')),
      ...hearing,
    })
    alarms.push(alarm.arn)
  }
  makeBudget(watched.told, topic)
  return { topic, alarms }
}

/** Who is told. */
interface Hearing {
  alarmActions: Input<string>[]
  okActions: Input<string>[]
}

function make(
  name: string,
  { means, of, above, below, periodSeconds, most: [bad, periods] = [1, 1], silence = 'fine' }: Alarm,
  hearing?: Hearing,
) {
  return new aws.cloudwatch.MetricAlarm(resourceOf(name), {
    name: called(name),
    alarmDescription: means,
    comparisonOperator: above === undefined ? 'LessThanThreshold' : 'GreaterThanThreshold',
    threshold: above ?? below,
    evaluationPeriods: periods,
    datapointsToAlarm: bad,
    treatMissingData: silence === 'fine' ? 'notBreaching' : 'breaching',
    ...('series' in of ? made(of.series, of.expression, periodSeconds) : { ...plain(of), period: periodSeconds }),
    ...hearing,
  })
}

const plain = ({ stat, ...series }: Series) =>
  stat.startsWith('p')
    ? { ...series, extendedStatistic: stat, evaluateLowSampleCountPercentiles: 'ignore' }
    : { ...series, statistic: stat }

const made = (series: Record<string, Series>, expression: string, period: number) => ({
  metricQueries: [
    { id: 'made', expression, label: 'made', returnData: true },
    ...Object.entries(series).map(([id, metric]) => ({ id, metric: { ...metric, period }, returnData: false })),
  ],
})

function makeTopic({ deployment }: Told) {
  const topic = new sst.aws.SnsTopic('Alarms')
  const account = aws.getCallerIdentityOutput().accountId
  new aws.sns.TopicPolicy('AlarmsPolicy', {
    arn: topic.arn,
    policy: aws.iam.getPolicyDocumentOutput({
      statements: [
        {
          actions: ['sns:Publish'],
          resources: [topic.arn],
          principals: [{ type: 'Service', identifiers: ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com'] }],
          conditions: [{ test: 'StringEquals', variable: 'aws:SourceAccount', values: [account] }],
        },
      ],
    }).json,
  })
  if (deployment.ALARM_EMAIL) {
    new aws.sns.TopicSubscription('AlarmsMail', { topic: topic.arn, protocol: 'email', endpoint: deployment.ALARM_EMAIL })
  }
  return { topic, hearing: { alarmActions: [topic.arn], okActions: [topic.arn] } }
}

/** Of the whole account: what a stage costs by its tags AWS only knows where somebody has switched that on. */
function makeBudget({ deployment }: Told, topic: sst.aws.SnsTopic): void {
  const tell = (notificationType: string, threshold: number) => ({
    comparisonOperator: 'GREATER_THAN',
    thresholdType: 'PERCENTAGE',
    subscriberSnsTopicArns: [topic.arn],
    notificationType,
    threshold,
  })
  new aws.budgets.Budget('Cost', {
    name: called('cost'),
    budgetType: 'COST',
    timeUnit: 'MONTHLY',
    limitAmount: String(deployment.MONTHLY_BUDGET_USD),
    limitUnit: 'USD',
    notifications: [tell('FORECASTED', 100), tell('ACTUAL', 80)],
  })
}

const called = (name: string): string => `${$app.name}-${$app.stage}-${name}`
const resourceOf = (name: string): string =>
  `Alarm${name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}`
