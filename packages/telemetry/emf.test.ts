import { expect, test } from 'vitest'
import { emf } from './emf.ts'
import { cloudNames, METRICS, type MetricName } from './table.ts'

const request = {
  operation: 'memories.add',
  method: 'POST',
  status: 201,
  code: null,
  ms: 12,
  parts: new Map([['db', 4]]),
  requestId: 'r',
  replayed: false,
}

const telemetry = () => {
  const written: string[] = []
  return {
    ...emf({ namespace: 'Twofold/test', now: () => new Date(5000), write: (line) => void written.push(line) }),
    lines: () => written.splice(0).map((line) => JSON.parse(line)),
  }
}

/** What CloudWatch makes of a line: one number for each metric and set of dimensions. */
const seriesOf = ({ _aws, ...line }: any): Record<string, number> =>
  Object.fromEntries(
    _aws.CloudWatchMetrics.flatMap(({ Dimensions, Metrics }: any) =>
      Dimensions.flatMap((set: string[]) =>
        Metrics.map(({ Name }: any) => [[Name, ...set.map((key) => `${key}=${line[key]}`)].join(' '), line[Name]]),
      ),
    ),
  )

test('a request is one line, with what else was counted for it', () => {
  const { observe, count, flush, lines } = telemetry()
  count('twofold_cache_total', { outcome: 'hit' }, 2)
  count('twofold_cache_total', { outcome: 'hit' })
  observe(request)
  expect(lines()).toEqual([])
  flush()
  const [line, ...others] = lines()
  expect(others).toEqual([])
  expect(line).toMatchObject({ operation: 'memories.add', status: '201' })
  expect(seriesOf(line)).toEqual({
    twofold_operation_duration_seconds: 0.012,
    'twofold_operation_duration_seconds operation=memories.add': 0.012,
    twofold_operation_own_seconds: 0.012,
    twofold_operation_part_seconds_db: 0.004,
    twofold_cache_total_hit: 3,
  })
  flush()
  expect(lines()).toEqual([])
})

test('several requests of one invocation are a line each, a failure with its code', () => {
  const { observe, flush, lines } = telemetry()
  observe(request)
  observe({ ...request, operation: 'memories.get', status: 503, code: 'unavailable', parts: new Map() })
  observe({ ...request, operation: null, status: 404, code: 'not_found', parts: new Map() })
  flush()
  const [first, second, third] = lines().map(seriesOf)
  expect(first).not.toHaveProperty('twofold_failures_total')
  expect(second).toMatchObject({
    'twofold_failures_total operation=memories.get': 1,
    twofold_failures_total: 1,
    twofold_refusals_total_unavailable: 1,
  })
  expect(third).toMatchObject({ 'twofold_operation_duration_seconds operation=none': 0.012, twofold_refusals_total_not_found: 1 })
  expect(third).not.toHaveProperty('twofold_failures_total')
})

test('what models took is not its own time: embedding goes on beside extraction, inference before both', () => {
  const { observe, flush, lines } = telemetry()
  const parts = new Map([
    ['db', 5],
    ['infer', 40],
    ['embed', 20],
    ['extract', 30],
  ])
  observe({ ...request, ms: 100, parts })
  observe({ ...request, ms: 60, parts })
  flush()
  expect(lines().map((line) => line.twofold_operation_own_seconds)).toEqual([0.03, 0])
})

test('gauges that were set go out once, and what nobody knows does not', () => {
  const { gauge, flush, lines } = telemetry()
  gauge('twofold_owed', 7)
  gauge('twofold_owed', 3)
  gauge('twofold_agreement_min_percent', null)
  flush()
  const [line] = lines()
  expect(seriesOf(line)).toEqual({ twofold_owed: 3 })
  flush()
  expect(lines()).toEqual([])
})

test('a line is what CloudWatch takes for metrics: milliseconds, at most a hundred metrics and thirty dimensions, members that are there', () => {
  const { observe, count, gauge, flush, lines } = telemetry()
  observe({
    ...request,
    status: 500,
    code: 'internal',
    replayed: true,
    parts: new Map(['cache', 'db', 'embed', 'extract', 'graph', 'infer'].map((part) => [part, 1])),
  })
  for (const what of ['session', 'closed', 'transaction', 'retry'] as const) count('twofold_graph_total', { what })
  for (const outcome of ['hit', 'miss', 'failure'] as const) count('twofold_cache_total', { outcome })
  for (const [name, { kind }] of Object.entries(METRICS)) if (kind === 'gauge') gauge(name as 'twofold_owed', 1)
  flush()
  const [line, ...others] = lines()
  expect(others).toEqual([])
  expect(line._aws.Timestamp).toBe(5000)
  const units = /^(Seconds|Milliseconds|Percent|Bytes|Count|None)$/
  const published = new Set<string>()
  for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
    expect(Namespace).toBe('Twofold/test')
    expect(Metrics.length).toBeLessThanOrEqual(100)
    for (const set of Dimensions) for (const key of set) expect(line[key]).toEqual(expect.any(String))
    for (const { Name, Unit } of Metrics) {
      expect(line[Name]).toEqual(expect.any(Number))
      expect(Unit).toMatch(units)
      published.add(Name)
    }
  }
  const declared = (Object.keys(METRICS) as MetricName[]).map((name) => [name, cloudNames(name)] as const)
  for (const [name, names] of declared)
    expect(
      names.filter((each) => published.has(each)),
      name,
    ).not.toEqual([])
  expect([...published].filter((name) => !declared.some(([, names]) => names.includes(name)))).toEqual([])
})

test('for Prometheus it says which metrics there are and where their numbers are', async () => {
  const { text } = telemetry()
  expect(await text()).toMatch(/^# The numbers of these metrics are in CloudWatch\.\n# HELP /)
  expect((await text()).split('\n').filter((line) => line && !line.startsWith('#'))).toEqual([])
})
