import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Run as a process of its own: Pulumi keeps what it knows in globals. `mocked.ts <platform> <config> <work> <stage>` */
const [platform, config, work, stage] = process.argv.slice(2) as [string, string, string, string]

interface Asked {
  type: string
  name: string
  inputs: Record<string, any>
}

/** As far as it is used here; its package comes with SST's platform. */
interface Pulumi {
  runtime: {
    setMocks(
      mocks: { newResource(asked: Asked): { id: string; state: object }; call(asked: { token: string; inputs: object }): object },
      project: string,
      stack: string,
      preview: boolean,
    ): Promise<void>
    registerStackTransformation(look: (made: { name: string; opts: { retainOnDelete?: boolean } }) => undefined): void
    runInPulumiStack(program: () => Promise<unknown>): Promise<unknown>
  }
}

const ACCOUNT = '123456789012'
const REGION = 'us-east-1'
/** How Pulumi marks a value that is a secret. */
const SIGNATURE = '4dabf18193072939515e22adb298388d'

const resources: Asked[] = []

/** What AWS would say of a new thing that others refer to. */
const STATES: Record<string, (asked: Asked) => object> = {
  'random:index/randomBytes:RandomBytes': () => ({ base64: Buffer.alloc(32, 7).toString('base64') }),
  'aws:sqs/queue:Queue': ({ name }) => ({
    arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`,
    url: `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`,
  }),
  'aws:apigatewayv2/api:Api': ({ name }) => ({
    apiEndpoint: `https://${name.toLowerCase()}.execute-api.${REGION}.amazonaws.com`,
    executionArn: `arn:aws:execute-api:${REGION}:${ACCOUNT}:${name}`,
  }),
}

const ANSWERS: Record<string, (inputs: any) => object> = {
  'aws:index/getRegion:getRegion': () => ({ id: REGION, name: REGION, region: REGION }),
  'aws:index/getPartition:getPartition': () => ({ partition: 'aws', dnsSuffix: 'amazonaws.com' }),
  'aws:index/getCallerIdentity:getCallerIdentity': () => ({ accountId: ACCOUNT }),
  'aws:iam/getPolicyDocument:getPolicyDocument': (inputs) => ({ ...inputs, json: JSON.stringify(inputs) }),
}

/** Named by what it is in the config, so that tests can follow who refers to whom. */
function stateOf(asked: Asked): object {
  const [, service = '', kind = ''] = /^aws:([^/]+)\/([^:]+):/.exec(asked.type) ?? []
  const arn = `arn:aws:${service}:${REGION}:${ACCOUNT}:${kind}:${asked.name}`
  return { arn, name: asked.name, ...open(asked.inputs), ...STATES[asked.type]?.(asked) }
}

/** Without the marks of secrets. */
function open(value: any): any {
  if (Array.isArray(value)) return value.map(open)
  if (value === null || typeof value !== 'object') return value
  if (SIGNATURE in value && 'value' in value) return open(value.value)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, open(each)]))
}

const { runtime } = createRequire(join(platform, 'package.json'))('@pulumi/pulumi') as Pulumi
await runtime.setMocks(
  {
    newResource(asked) {
      resources.push({ type: asked.type, name: asked.name, inputs: open(asked.inputs) })
      return { id: `${asked.name}-id`, state: stateOf(asked) }
    },
    call({ token, inputs }) {
      const answer = ANSWERS[token]
      if (!answer) throw new Error(`${token} is not mocked`)
      return answer(inputs)
    },
  },
  'twofold',
  stage,
  false,
)
// As SST does: first what the config says of the stage, on which its components stand when they are loaded.
Object.assign(globalThis, { $config: (config: unknown) => config })
const { default: said } = await import(new URL('../../sst.config.ts', import.meta.url).href)
const root = join(platform, '../..')
Object.assign(globalThis, {
  app: { stage, ...(await said.app({ stage })) },
  cli: { command: 'deploy', dev: false, paths: { home: work, root, work, platform }, state: { version: {} } },
})
const kept: string[] = []
const outputs = await runtime.runInPulumiStack(async () => {
  runtime.registerStackTransformation(({ name, opts }) => void (opts.retainOnDelete && kept.push(name)))
  return (await import(pathToFileURL(config).href)).default
})
// What follows from a name that is known later is made after the program has ended.
process.once('beforeExit', () => writeFileSync(join(work, 'deployed.json'), JSON.stringify({ resources, kept, outputs: open(outputs) })))
