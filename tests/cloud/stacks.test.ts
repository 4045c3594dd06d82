import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { operations } from '@twofold/functions/operations.ts'
import { deadOf, subscriptions, visibilityMs } from '@twofold/functions/queues/queues.ts'
import { leaseMs } from '@twofold/functions/schedules/scheduled.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { describe, expect, inject, test } from 'vitest'
import { functionsOf, type Made, made, routesOf } from './made.ts'

const prod = inject('prod')
const functions = functionsOf(prod)

/** The function of an operation, a schedule or a queue, by the file that holds its handler. */
function at(entry: string): Made {
  const found = [...functions.values()].find(({ handler }) => handler === `${entry}.handler`)
  if (!found) throw new Error(`nothing was made of ${entry}`)
  return found
}

describe('every function', () => {
  test('has a file that is there', () => {
    const lost = [...functions.values()].map(({ handler }) => handler.replace(/\.handler$/, '.ts'))
    expect(lost.filter((file) => !existsSync(fileURLToPath(new URL(`../../${file}`, import.meta.url))))).toEqual([])
  })

  test('runs on arm64 and the newest Node, and keeps its log for a month', () => {
    const kinds = new Set([...functions.values()].map(({ inputs }) => `${inputs.architectures} ${inputs.runtime}`))
    expect([...kinds]).toEqual(['arm64 nodejs24.x'])
    const kept = made(prod, 'aws:cloudwatch/logGroup:LogGroup').map(({ inputs }) => inputs.retentionInDays)
    expect(new Set(kept)).toEqual(new Set([30]))
  })

  test('is an operation, a schedule, a queue’s or the one for models', () => {
    expect(functions.size).toBe(operations.length + schedules.length + subscriptions.length + 1)
  })

  test('may do nothing on everything', () => {
    const wide = [...functions.values()].flatMap(({ name, allowed }) =>
      allowed.flatMap(({ actions, resources }) =>
        [...actions, ...resources].filter((each) => each === '*' || each.endsWith(':*')).map(() => name),
      ),
    )
    expect(wide).toEqual([])
  })
})

describe('the API', () => {
  const files = (name: string) => `functions/${name.replace('.', '/').replaceAll('_', '-')}`

  test.each(operations.map(({ name, method, path }) => ({ name, route: `${method.toUpperCase()} ${path}` })))(
    '$route leads to $name',
    ({ name, route }) => {
      expect(routesOf(prod).get(route)?.handler).toBe(`${files(name)}.handler`)
    },
  )

  test('asks a function for HEAD where it does for GET', () => {
    const routes = routesOf(prod)
    const heads = [...routes.keys()].filter((route) => route.startsWith('GET ')).map((route) => route.replace('GET', 'HEAD'))
    expect(heads.map((route) => routes.get(route)?.name)).toEqual(heads.map((route) => routes.get(route.replace('HEAD', 'GET'))?.name))
  })

  test('gives each operation longer than its deadline and less than an HTTP API waits', () => {
    for (const { name, deadlineMs } of operations) {
      const { timeout } = at(files(name)).inputs
      expect(timeout * 1000, name).toBeGreaterThan(deadlineMs)
      expect(timeout, name).toBeLessThan(30)
    }
  })

  test('lets nobody’s browser in from elsewhere', () => {
    expect(made(prod, 'aws:apigatewayv2/api:Api').map(({ inputs }) => inputs.corsConfiguration ?? {})).toEqual([{}])
  })

  test('may be called by its own gateway only', () => {
    for (const { inputs } of made(prod, 'aws:lambda/permission:Permission')) {
      expect([inputs.principal, inputs.sourceArn]).toEqual(['apigateway.amazonaws.com', expect.stringContaining(':execute-api:')])
    }
  })
})

describe.each(subscriptions)('the queue $name', (subscription) => {
  const { name, maxReceives, batchSize, timeoutMs, atOnce } = subscription
  const queue = (of: string) => made(prod, 'aws:sqs/queue:Queue').find((each) => each.name === `${pascal(of)}Queue`)

  test('sets aside what it had to give up', () => {
    expect(JSON.parse(queue(name)?.inputs.redrivePolicy)).toEqual({
      deadLetterTargetArn: expect.stringMatching(new RegExp(`:${pascal(deadOf(subscription))}Queue$`)),
      maxReceiveCount: maxReceives,
    })
    expect(queue(deadOf(subscription))?.inputs.messageRetentionSeconds).toBe(14 * 24 * 3600)
  })

  test('hides a message for six times as long as its function may run', () => {
    expect(at(`functions/queues/${name}`).inputs.timeout).toBe(timeoutMs / 1000)
    expect(queue(name)?.inputs.visibilityTimeoutSeconds).toBe(visibilityMs(subscription) / 1000)
  })

  test('is read in batches of which only what failed comes back, by so many at once as the graph bears', () => {
    const [mapping] = made(prod, 'aws:lambda/eventSourceMapping:EventSourceMapping').filter(({ inputs }) =>
      inputs.eventSourceArn.endsWith(`:${pascal(name)}Queue`),
    )
    expect(mapping?.inputs).toMatchObject({
      batchSize,
      maximumBatchingWindowInSeconds: 1,
      functionResponseTypes: ['ReportBatchItemFailures'],
      scalingConfig: { maximumConcurrency: atOnce },
    })
  })
})

describe.each(schedules.map(({ declared }) => declared))('the schedule $name', (declared) => {
  const entry = `functions/schedules/${declared.name}`
  const rule = () => made(prod, 'aws:scheduler/schedule:Schedule').filter(({ inputs }) => inputs.target.arn === at(entry).arn)

  test('starts its function, again when it cannot, and sets aside what never could', () => {
    expect(rule()).toHaveLength(1)
    expect(rule()[0]?.inputs).toMatchObject({
      state: 'ENABLED',
      target: { retryPolicy: { maximumRetryAttempts: 2 }, deadLetterConfig: { arn: expect.stringMatching(/:SchedulesDeadQueue$/) } },
    })
  })

  test('hears of a round that failed in every attempt', () => {
    const [asked] = made(prod, 'aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig').filter(
      ({ inputs }) => inputs.functionName === at(entry).inputs.name,
    )
    expect(asked?.inputs).toMatchObject({
      maximumRetryAttempts: 2,
      destinationConfig: { onFailure: { destination: expect.stringMatching(/:SchedulesDeadQueue$/) } },
    })
    expect(at(entry).allowed).toContainEqual({ actions: ['sqs:SendMessage'], resources: [expect.stringMatching(/:SchedulesDeadQueue$/)] })
  })

  test('lives as long as its lock lasts', () => {
    expect(at(entry).inputs.timeout * 1000).toBe(leaseMs(declared))
  })
})

describe('who needs something', () => {
  const sends = ({ allowed }: Made, to: string) =>
    allowed.some(({ actions, resources }) => actions.includes('sqs:SendMessage') && resources.some((each) => each.endsWith(`:${to}`)))

  test('sends to the queue of graph writes, and who does not cannot', () => {
    const senders = operations.filter(({ needs }) => needs.some(({ name }) => name === 'queue')).map(({ name }) => name)
    expect(senders.length).toBeGreaterThan(10)
    expect(operations.filter(({ name }) => sends(at(entryOf(name)), 'GraphWritesQueue')).map(({ name }) => name)).toEqual(senders)
  })
})

const entryOf = (name: string) => `functions/${name.replace('.', '/').replaceAll('_', '-')}`
const pascal = (name: string) => name.replaceAll(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase())
