import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cloudNames, METRICS, type Metric, type MetricName, PARTS } from './table.ts'

const names = Object.keys(METRICS) as MetricName[]

test('no label could name a tenant', () => {
  for (const name of names) {
    expect(Object.keys(METRICS[name].labels)).not.toEqual(expect.arrayContaining([expect.stringMatching(/tenant|namespace|key|user/)]))
  }
})

test('a metric has one label at most that tells series of CloudWatch apart, and one at most that is part of its name', () => {
  for (const metric of Object.values<Metric>(METRICS)) {
    const labels = Object.values(metric.labels)
    expect(
      labels.filter((label) => label === 'each').length + labels.filter((label) => typeof label !== 'string').length,
    ).toBeLessThanOrEqual(1)
  }
})

test('no two metrics have one name in CloudWatch', () => {
  const all = names.flatMap(cloudNames)
  expect(new Set(all).size).toBe(all.length)
})

test('every part of a request that core times is known', () => {
  const root = join(import.meta.dirname, '../core')
  const files = globSync('**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] })
  const timed = files.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/timings\.measure\('(\w+)'/g)].map(([, part]) => part),
  )
  expect([...new Set([...timed, 'db'])].sort()).toEqual([...PARTS])
})
