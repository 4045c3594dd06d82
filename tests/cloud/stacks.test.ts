import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { needs as mcpNeeds } from '@twofold/functions/mcp.ts'
import { operations } from '@twofold/functions/operations.ts'
import { deadOf, subscriptions, visibilityMs } from '@twofold/functions/queues/queues.ts'
import { leaseMs } from '@twofold/functions/schedules/scheduled.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { linkOf, NAMES, type Name, type Need, SECRETS, VARIABLES } from '@twofold/functions/variables.ts'
import { describe, expect, inject, test } from 'vitest'
import { BUNDLING } from '../../stacks/bundling.ts'
import { deployed, TOLD } from './deployed.ts'
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

  test('is bundled as the bundles of these tests are', () => {
    const ways = new Set(prod.built.map(({ properties: { minify, splitting, esbuild } }) => JSON.stringify({ minify, splitting, esbuild })))
    expect([...ways]).toEqual([JSON.stringify(BUNDLING)])
  })

  test('is an operation, a schedule, a queue’s, the one for models, that of the docs’ script or the one for whatever else', () => {
    expect(functions.size).toBe(operations.length + schedules.length + subscriptions.length + 3)
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
  test.each(operations.map(({ name, method, path }) => ({ name, route: `${method.toUpperCase()} ${path}` })))(
    '$route leads to $name',
    ({ name, route }) => {
      expect(routesOf(prod).get(route)?.handler).toBe(`${entryOf(name)}.handler`)
    },
  )

  test('asks one function for everything else', () => {
    expect(routesOf(prod).get('$default')?.handler).toBe('functions/else.handler')
  })

  test('asks a function for HEAD where it does for GET', () => {
    const routes = routesOf(prod)
    const heads = [...routes.keys()].filter((route) => route.startsWith('GET ')).map((route) => route.replace('GET', 'HEAD'))
    expect(heads.map((route) => routes.get(route)?.name)).toEqual(heads.map((route) => routes.get(route.replace('HEAD', 'GET'))?.name))
  })

  test('gives each operation longer than its deadline and less than an HTTP API waits', () => {
    for (const { name, deadlineMs } of operations) {
      const { timeout } = at(entryOf(name)).inputs
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

describe('a function reaches what it needs and nothing else:', () => {
  /** What each function of the code declares to need, by the file of its handler. */
  const declared = new Map<string, readonly Need[]>([
    ...operations.map(({ name, needs, scope }): [string, Need[]] => [
      entryOf(name),
      [...namesOf(needs), ...(scope === 'operator' ? ['operator' as const] : [])],
    ]),
    ...schedules.map(({ declared: { name, needs } }): [string, Need[]] => [`functions/schedules/${name}`, namesOf(needs)]),
    ...subscriptions.map(({ name, needs }): [string, Need[]] => [`functions/queues/${name}`, namesOf(needs)]),
    ['functions/mcp', namesOf(mcpNeeds)],
    ['functions/else', []],
  ])
  const sends = ({ allowed }: Made, to: string) =>
    allowed.some(({ actions, resources }) => actions.includes('sqs:SendMessage') && resources.some((each) => each.endsWith(`:${to}Queue`)))
  const who = (rule: (made: Made) => boolean) => [...declared.keys()].filter((entry) => rule(at(entry))).toSorted()
  const needing = (rule: (needs: readonly Need[]) => boolean) =>
    [...declared].flatMap(([entry, needs]) => (rule(needs) ? [entry] : [])).toSorted()

  test('the queue of graph writes, to send to it', () => {
    const senders = needing((needs) => needs.includes('queue'))
    expect(senders.length).toBeGreaterThan(10)
    expect(who((made) => sends(made, 'GraphWrites'))).toEqual(senders)
    expect(who(({ inputs }) => inputs.environment.variables.GRAPH_QUEUE_URL !== undefined)).toEqual(
      [...new Set([...senders, 'functions/queues/graph-writes'])].toSorted(),
    )
  })

  test('no queue, who only reads', () => {
    const reading = operations.filter(({ method }) => method === 'get').map(({ name }) => at(entryOf(name)))
    expect(reading.length).toBeGreaterThan(20)
    expect(reading.flatMap(({ allowed }) => allowed)).toEqual([])
  })

  test('more memory, who loads a driver or a client', () => {
    const light = needing((needs) => needs.every((need) => need === 'queue' || need === 'operator'))
    expect(light.length).toBeGreaterThan(30)
    expect(who(({ inputs }) => inputs.memorySize === 512)).toEqual(light)
    expect(new Set([...functions.values()].map(({ inputs }) => inputs.memorySize))).toEqual(new Set([512, 1024]))
  })

  test('models of Bedrock, who calls one, where the stage has its models there', async () => {
    const { OPENAI_API_KEY: _, ...rest } = TOLD
    const models = {
      EMBEDDING_MODEL: 'amazon-bedrock:amazon.titan-embed-text-v2:0',
      LANGUAGE_MODEL: 'amazon-bedrock:eu.amazon.nova-lite-v1:0',
    }
    const functions = [...functionsOf(await deployed('mine', { ...rest, ...models })).values()]
    const asking = functions.filter(({ allowed }) => allowed.some(({ actions }) => actions.includes('bedrock:InvokeModel')))
    expect(asking.map(({ handler }) => handler.replace(/\.handler$/, '')).toSorted()).toEqual(
      needing((needs) => (['embedder', 'extractor', 'language'] as const).some((model) => needs.includes(model))),
    )
  }, 180_000)

  test('each dead-letter queue, who gives up something', () => {
    expect(who((made) => sends(made, 'IngestDead'))).toEqual(['functions/queues/ingest'])
    expect(who((made) => sends(made, 'SchedulesDead'))).toEqual(
      needing(() => true).filter((entry) => entry.startsWith('functions/schedules/')),
    )
  })

  test.each(SECRETS)('the secret %s', (name) => {
    const { needs } = VARIABLES[name]
    const readers = needing((theirs) => needs.length === 0 || needs.some((need) => theirs.includes(need)))
    expect(readers.length).toBeGreaterThan(0)
    expect(who(({ links }) => linkOf(name) in links)).toEqual(readers)
    for (const { links } of functions.values())
      expect([undefined, TOLD[name as keyof typeof TOLD] ?? '']).toContain(links[linkOf(name)]?.value)
  })

  test('no link that the code does not read', () => {
    const read = SECRETS.map(linkOf)
    expect([...functions.values()].flatMap(({ links }) => Object.keys(links)).filter((name) => !read.includes(name))).toEqual([])
    expect(
      made(prod, 'sst:sst:Secret')
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(read.toSorted())
  })

  test('no variable that the code does not read, and no secret among them', () => {
    const told = new Set(
      [...functions.values()].flatMap(({ inputs }) => Object.keys(inputs.environment.variables)).filter((name) => !name.startsWith('SST_')),
    )
    const may = NAMES.filter((name) => ['setting', 'stacks'].includes(VARIABLES[name].kind))
    expect([...told].filter((name) => !may.includes(name as Name))).toEqual([])
    expect([...told]).toEqual(
      expect.arrayContaining(['EMBEDDING_MODEL', 'LANGUAGE_MODEL', 'METRICS_NAMESPACE', 'GRAPH_QUEUE_URL', 'INGEST_QUEUE_URL']),
    )
  })
})

describe('a stage', () => {
  test('called prod is protected, and what lies in its queues outlives it', () => {
    expect(prod.outputs._protect).toBe(true)
    expect(prod.kept.filter((name) => name.endsWith('Queue')).toSorted()).toEqual(
      made(prod, 'aws:sqs/queue:Queue')
        .map(({ name }) => name)
        .toSorted(),
    )
  })

  test('of any other name goes without a trace, and runs as often as it says', async () => {
    const settings = { ...TOLD, RELAY_INTERVAL_MS: '150000', NIGHTLY_HOUR: '5', LOG_LEVEL: 'info', ENABLE_AUTO_SYNC: 'false' }
    const mine = await deployed('mine', settings)
    expect([mine.outputs._protect ?? false, mine.kept]).toEqual([false, []])
    const schedule = new Map(made(mine, 'aws:scheduler/schedule:Schedule').map(({ name, inputs }) => [name, inputs.scheduleExpression]))
    expect(schedule.get('CronRelaySchedule')).toBe('rate(3 minutes)')
    expect([schedule.has('CronSyncSchedule'), schedule.has('CronNightlySchedule'), schedule.size]).toEqual([
      false,
      false,
      schedules.length - 2,
    ])
    const told = [...functionsOf(mine).values()].filter(({ name }) => name !== 'DocsScriptFunction')
    const levels = told.map(({ inputs }) => inputs.environment.variables.LOG_LEVEL)
    expect(new Set(levels)).toEqual(new Set(['info']))
  }, 180_000)

  test('that was told nonsense makes nothing, and names each variable', async () => {
    const { DATABASE_URL: _, ...rest } = TOLD
    const refused = deployed('mine', { ...rest, EMBEDDING_MODEL: 'embedded', RETRY_ATTEMPTS: 'often' })
    await expect(refused).rejects.toThrow('DatabaseUrl) is not set')
    await expect(refused).rejects.toThrow('EMBEDDING_MODEL is "embedded"')
    await expect(refused).rejects.toThrow('RETRY_ATTEMPTS is "often"')
  }, 180_000)
})

const namesOf = (needs: readonly { name: string }[]) => needs.map(({ name }) => name as Need)
const entryOf = (name: string) => `functions/${name.replace('.', '/').replaceAll('_', '-')}`
const pascal = (name: string) => name.replaceAll(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase())
