import { expect, test } from 'vitest'
import { prometheus } from './prometheus.ts'
import { METRICS } from './table.ts'

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

test('a request is counted by operation and status, its parts apart, refusals and replays by their own', async () => {
  const telemetry = prometheus()
  telemetry.observe(request)
  telemetry.observe({ ...request, replayed: true })
  telemetry.observe({ ...request, operation: null, status: 404, code: 'not_found', parts: new Map() })
  const text = await telemetry.text()
  expect(text).toContain('# TYPE twofold_operation_duration_seconds histogram')
  expect(text).toContain('twofold_operation_duration_seconds_bucket{le="0.01",operation="memories.add",status="201"} 0')
  expect(text).toContain('twofold_operation_duration_seconds_bucket{le="0.025",operation="memories.add",status="201"} 2')
  expect(text).toContain('twofold_operation_part_seconds_sum{operation="memories.add",part="db"} 0.008')
  expect(text).toContain('twofold_operation_own_seconds_sum{operation="memories.add"} 0.024')
  expect(text).not.toContain('twofold_failures_total{')
  expect(text).toContain('twofold_refusals_total{operation="none",code="not_found"} 1')
  expect(text).toContain('twofold_replays_total{operation="memories.add"} 1')
})

test('counters add up, and two registries share nothing', async () => {
  const [one, two] = [prometheus(), prometheus()]
  one.count('twofold_cache_total', { outcome: 'hit' }, 3)
  one.count('twofold_cache_total', { outcome: 'hit' })
  expect(await one.text()).toContain('twofold_cache_total{outcome="hit"} 4')
  expect(await two.text()).not.toContain('outcome="hit"')
})

test('a gauge shows what was set last, and nothing before that or when nobody knows', async () => {
  const telemetry = prometheus()
  expect(await telemetry.text()).not.toMatch(/^twofold_parked /m)
  telemetry.gauge('twofold_parked', 3)
  telemetry.gauge('twofold_parked', 0)
  expect(await telemetry.text()).toContain('\ntwofold_parked 0\n')
  telemetry.gauge('twofold_parked', null)
  expect(await telemetry.text()).not.toMatch(/^twofold_parked /m)
})

test('every declared metric is published with its help', async () => {
  const text = await prometheus().text()
  for (const [name, { help, kind }] of Object.entries(METRICS)) expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}`)
})

test('the process itself is measured where asked for', async () => {
  const telemetry = prometheus({ processes: true })
  expect(await telemetry.text()).toMatch(/^process_resident_memory_bytes \d+/m)
  expect(telemetry.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
})
