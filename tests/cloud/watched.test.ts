import { readFileSync } from 'node:fs'
import { eventOf } from '@twofold/functions/calls.fixture.ts'
import { type World, world } from '@twofold/functions/fixture.ts'
import { get, handler as getMemory } from '@twofold/functions/memories/get.ts'
import { handler as measure } from '@twofold/functions/schedules/measure.ts'
import { cloudNames, METRICS, type MetricName } from '@twofold/telemetry/table.ts'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { TOLD } from './deployed.ts'
import { functionsOf, made } from './made.ts'

/** What is looked at in the cloud, over the stacks as they are deployed and the lines that the handlers really write. */

const prod = inject('prod')
let here: World
/** Names of the metrics that CloudWatch finds in what the functions wrote, with the dimensions of their series. */
const emitted = new Map<string, Set<string>>()
const before = { ...process.env }
/** Where lines are read. */
const IN_LAMBDA = { AWS_LAMBDA_FUNCTION_NAME: 'watched' }
beforeAll(async () => {
  here = await world()
  Object.assign(process.env, here.variables, IN_LAMBDA)
  const lines: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0)
  const tenant = await here.tenant()
  const { id } = await tenant.add({ content: 'met Anna' })
  await getMemory(eventOf(get, { parameters: { id }, key: tenant.key }))
  await measure()
  vi.restoreAllMocks()
  for (const line of lines.filter((each) => each.startsWith('{"_aws"'))) {
    for (const { Dimensions, Metrics } of JSON.parse(line)._aws.CloudWatchMetrics)
      for (const { Name } of Metrics) for (const set of Dimensions) emitted.set(Name, (emitted.get(Name) ?? new Set()).add(set.join()))
  }
}, 180_000)
afterAll(async () => {
  for (const name of Object.keys({ ...here.variables, ...IN_LAMBDA })) delete process.env[name]
  Object.assign(process.env, before)
  await here.close()
})

/** A series as an alarm or a chart names it. */
interface Series {
  namespace: string
  name: string
  dimensions: Record<string, string>
}

/** What AWS itself says of the parts that are used, and by what its series are told apart. */
const OF_AWS: Record<string, { names: RegExp; dimension?: string; type?: string; by?: 'id' | 'name' }> = {
  'AWS/ApiGateway': {
    names: /^(Count|4xx|5xx|Latency|IntegrationLatency|DataProcessed)$/,
    dimension: 'ApiId',
    type: 'aws:apigatewayv2/api:Api',
    by: 'id',
  },
  'AWS/SQS': {
    names: /^ApproximateNumberOfMessages(Visible|NotVisible|Delayed)$|^ApproximateAgeOfOldestMessage$/,
    dimension: 'QueueName',
    type: 'aws:sqs/queue:Queue',
    by: 'name',
  },
  'AWS/Lambda': { names: /^(Invocations|Errors|Throttles|ConcurrentExecutions|Duration)$/ },
}

/** Null when there is such a series, else what is wrong with it. */
function wrong({ namespace, name, dimensions }: Series): string | null {
  const aws = OF_AWS[namespace]
  if (!aws) {
    const [told] = new Set([...functionsOf(prod).values()].map(({ inputs }) => inputs.environment.variables.METRICS_NAMESPACE))
    if (namespace !== told) return `${namespace} is not where the functions write (${told})`
    return emitted.get(name)?.has(Object.keys(dimensions).join())
      ? null
      : `${name} by ${JSON.stringify(dimensions)} is written by no function`
  }
  if (!aws.names.test(name)) return `${namespace} knows no ${name}`
  if (!aws.dimension) return Object.keys(dimensions).length === 0 ? null : `${name} is asked for by ${JSON.stringify(dimensions)}`
  const known = made(prod, aws.type as string).map((each) => (aws.by === 'id' ? `${each.name}-id` : each.inputs.name))
  return known.includes(dimensions[aws.dimension] as string) ? null : `there is no ${aws.dimension} ${dimensions[aws.dimension]}`
}

const alarms = () => made(prod, 'aws:cloudwatch/metricAlarm:MetricAlarm').map(({ inputs }) => inputs)
const composites = () => made(prod, 'aws:cloudwatch/compositeAlarm:CompositeAlarm').map(({ inputs }) => inputs)
const seriesOf = (alarm: Record<string, any>): Series[] =>
  (alarm.metricQueries ? alarm.metricQueries.flatMap((query: any) => query.metric ?? []) : [alarm]).map(
    ({ namespace, metricName, dimensions = {} }: any) => ({ namespace, name: metricName, dimensions }),
  )

describe('every alarm', () => {
  test('looks at a metric that the code really writes, or that AWS has of a part that is there', () => {
    expect(alarms().length).toBeGreaterThan(10)
    expect(alarms().flatMap((alarm) => seriesOf(alarm).flatMap((series) => wrong(series) ?? []))).toEqual([])
  })

  test('is one that CloudWatch takes: whole periods, no window of more than a week, nor of more than a day by less than an hour', () => {
    for (const { name, period, metricQueries, evaluationPeriods, datapointsToAlarm } of alarms()) {
      const periods: number[] = metricQueries ? metricQueries.flatMap((query: any) => query.metric?.period ?? []) : [period]
      expect(new Set(periods).size, name).toBe(1)
      const [each = 0] = periods
      expect(each > 0 && each % 60 === 0, name).toBe(true)
      expect(each * evaluationPeriods, name).toBeLessThanOrEqual(each >= 3600 ? 604_800 : 86_400)
      expect(datapointsToAlarm, name).toBeLessThanOrEqual(evaluationPeriods)
    }
  })

  test('tells somebody, by itself or as a part of one that does', () => {
    const [topic] = made(prod, 'aws:sns/topic:Topic').map(({ name }) => name)
    expect(topic).toBeDefined()
    const rules = composites().map(({ alarmRule }) => alarmRule)
    const deaf = alarms().filter(
      ({ name, alarmActions = [] }) => alarmActions.length === 0 && !rules.some((rule) => rule.includes(`"${name}"`)),
    )
    expect(deaf.map(({ name }) => name)).toEqual([])
    for (const { alarmActions } of [...alarms(), ...composites()]) for (const arn of alarmActions ?? []) expect(arn).toContain(topic)
    expect(composites().filter(({ alarmActions }) => alarmActions?.length !== 1)).toEqual([])
  })

  test('comes by mail to whom the stage names', () => {
    const mails = made(prod, 'aws:sns/topicSubscription:TopicSubscription').map(({ inputs }) => `${inputs.protocol} ${inputs.endpoint}`)
    expect(mails).toEqual([`email ${TOLD.ALARM_EMAIL}`])
  })

  test('of two windows has both', () => {
    const names = alarms().map(({ name }) => name)
    for (const { alarmRule } of composites()) {
      const parts = [...alarmRule.matchAll(/ALARM\("([^"]+)"\)/g)].map(([, name]) => name)
      expect(parts).toHaveLength(2)
      expect(names).toEqual(expect.arrayContaining(parts))
    }
    expect(composites()).toHaveLength(2)
  })
})

test('of every dead-letter queue somebody hears', () => {
  const dead = made(prod, 'aws:sqs/queue:Queue').flatMap(({ name, inputs }) => (/Dead/.test(name) ? [inputs.name] : []))
  expect(dead.length).toBeGreaterThan(2)
  const watched = alarms().flatMap(({ dimensions }) => dimensions?.QueueName ?? [])
  expect(watched.toSorted()).toEqual(dead.toSorted())
})

test('nobody may be told by anybody but this account', () => {
  const [policy] = made(prod, 'aws:sns/topicPolicy:TopicPolicy').map(({ inputs }) => JSON.parse(inputs.policy))
  expect(policy.statements).toEqual([
    expect.objectContaining({ actions: ['sns:Publish'], conditions: [expect.objectContaining({ variable: 'aws:SourceAccount' })] }),
  ])
})

test('what the account costs in a month has a limit that somebody hears of', () => {
  const [budget] = made(prod, 'aws:budgets/budget:Budget').map(({ inputs }) => inputs)
  expect(budget).toMatchObject({ budgetType: 'COST', timeUnit: 'MONTHLY', limitAmount: '200' })
  for (const { subscriberSnsTopicArns } of budget?.notifications ?? []) expect(subscriberSnsTopicArns).toHaveLength(1)
  expect(budget?.notifications).toHaveLength(2)
})

describe('the dashboard', () => {
  const widgets = (): any[] => JSON.parse(made(prod, 'aws:cloudwatch/dashboard:Dashboard')[0]?.inputs.dashboardBody).widgets
  const charts = () => widgets().filter(({ type }) => type === 'metric')
  const shown = (): Series[] =>
    charts().flatMap(({ properties }) =>
      properties.metrics.flatMap(([namespace, name, ...rest]: any[]) =>
        typeof namespace === 'string' ? [{ namespace, name, dimensions: typeof rest[0] === 'string' ? { [rest[0]]: rest[1] } : {} }] : [],
      ),
    )

  test('shows every metric that the code declares, and none that it does not', () => {
    const own = shown().filter(({ namespace }) => !OF_AWS[namespace])
    const declared = (Object.keys(METRICS) as MetricName[]).flatMap(cloudNames)
    expect([...new Set(own.map(({ name }) => name))].toSorted()).toEqual(declared.toSorted())
    const others = shown().filter(({ namespace }) => OF_AWS[namespace])
    expect(others.flatMap((series) => wrong(series) ?? [])).toEqual([])
  })

  test('shows by operation what is told apart by operation', () => {
    const apart = charts().flatMap(({ properties }) => properties.metrics.flatMap(([only]: any[]) => only.expression ?? []))
    const each = Object.entries(METRICS).filter(([, { labels }]) => Object.values(labels).some((label) => label === 'each'))
    expect(
      apart.map((expression: string) => /^SEARCH\('\{"Twofold\/prod",operation\} MetricName="(\w+)"', '\w+', 300\)$/.exec(expression)?.[1]),
    ).toEqual(each.map(([name]) => name))
  })

  test('shows how every alarm stands that tells somebody', () => {
    const [{ properties }] = widgets().filter(({ type }) => type === 'alarm')
    const telling = [...alarms(), ...composites()].filter(({ alarmActions = [] }) => alarmActions.length > 0)
    expect(properties.alarms).toHaveLength(telling.length)
    expect(new Set(properties.alarms).size).toBe(telling.length)
  })

  test('has a place for each chart on a page of 24 columns', () => {
    const places = widgets().map(({ x, y, width, height }) => ({ x, y, width, height }))
    for (const { x, width } of places) expect(x + width).toBeLessThanOrEqual(24)
    expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(places.length)
  })
})

test('the runbook says of every alarm what it means', () => {
  const runbook = readFileSync(new URL('../../docs/deploy.md', import.meta.url), 'utf8')
  const names = [
    ...alarms()
      .filter(({ alarmActions = [] }) => alarmActions.length > 0)
      .map(({ name }) => name),
    ...composites().map(({ alarmName }) => alarmName),
  ]
  expect(names.map((name: string) => name.replace(/^twofold-prod-/, '')).filter((name) => !runbook.includes(`\`${name}\``))).toEqual([])
})
