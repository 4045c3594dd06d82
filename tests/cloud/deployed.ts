import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once as first } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { linkOf, type Name, SECRETS } from '@twofold/functions/variables.ts'
import { once } from '@twofold/operation/http.ts'
import { build } from 'esbuild'

/** One thing that Pulumi was asked to make, as it would reach the provider. */
export interface Resource {
  type: string
  name: string
  inputs: Record<string, any>
}

/** One function that SST was asked to bundle, with what it is linked to. */
export interface Built {
  functionID: string
  handler: string
  links: Record<string, Record<string, unknown>>
  /** How it is to be bundled. */
  properties: Record<string, unknown>
  /** What is uploaded beside it, and as what. */
  copyFiles: { from: string; to: string }[]
}

/** What deploying a stage makes. */
export interface Deployed {
  resources: Resource[]
  built: Built[]
  /** Names of the resources that are left in the account when the stage goes. */
  kept: string[]
  outputs: Record<string, unknown>
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const platform = join(root, '.sst/platform')

/** What SST's own bundling of a config leaves to the platform's folder. */
const EXTERNAL = ['@pulumi/*', '@pulumiverse/*', '@sst-provider/*', '@aws-sdk/*', 'undici', 'esbuild', 'archiver', 'glob', 'vite']

/** Where its external packages are found from. */
const BUNDLED = 'sst.config.checked.'

const BANNER = `
import { createRequire as topLevelCreateRequire } from 'module';
const require = topLevelCreateRequire(import.meta.url);
import { fileURLToPath as topLevelFileUrlToPath, URL as topLevelURL } from "url"
const __filename = topLevelFileUrlToPath(import.meta.url)
const __dirname = topLevelFileUrlToPath(new topLevelURL(".", import.meta.url))
`

/** What somebody who deploys everything says: secrets by `sst secret set`, settings by the environment. */
export const TOLD = {
  DATABASE_URL: 'postgresql://twofold:secret@ep-1.example.neon.tech/twofold',
  UPSTASH_REDIS_REST_URL: 'https://eu-1.example.upstash.io',
  UPSTASH_REDIS_REST_TOKEN: 'upstash-token',
  NEO4J_URI: 'neo4j+s://example.databases.neo4j.io',
  NEO4J_PASSWORD: 'neo4j-password',
  OPENAI_API_KEY: 'provider-key',
  TWOFOLD_OPERATOR_KEY: 'operator-key-of-the-stage',
  EMBEDDING_MODEL: 'openai:text-embedding-3-small',
  LANGUAGE_MODEL: 'openai:gpt-5-mini',
  ALARM_EMAIL: 'operations@example.com',
}

/**
 * Runs the real `sst.config.ts` over SST's real components as `sst deploy --stage <stage>` does; only Pulumi's engine, which
 * would ask AWS, is mocked. Throws what the config throws.
 */
export async function deployed(stage: string, told: Record<string, string> = TOLD): Promise<Deployed> {
  const work = await mkdtemp(join(tmpdir(), 'twofold-deployed-'))
  const built: Built[] = []
  const server = await answering(work, built)
  try {
    const config = await bundled()
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...asSst(told),
      SST_SERVER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    }
    const args = [join(root, 'tests/cloud/mocked.ts'), platform, config, work, stage]
    await promisify(execFile)(process.execPath, args, { cwd: root, env })
    return { ...JSON.parse(await readFile(join(work, 'deployed.json'), 'utf8')), built }
  } finally {
    server.close()
    await rm(work, { recursive: true, force: true })
  }
}

/** How SST hands them to its config. */
const asSst = (told: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(told).map(([name, value]) => [SECRETS.includes(name as Name) ? `SST_SECRET_${linkOf(name as Name)}` : name, value]),
  )

/** The config as SST bundles it, once for all stages: what it says of its stage, and where it works, is there once it runs. */
const bundled = once(async () => {
  const at = (path: string) => JSON.stringify(join(root, path))
  const outfile = join(platform, `${BUNDLED}${randomUUID()}.mjs`)
  await build({
    stdin: {
      contents: `import * as aws from '@pulumi/aws'
import * as sst from ${at('.sst/platform/src/components/index.ts')}
import { run } from ${at('.sst/platform/src/auto/run.ts')}
import mod from ${at('sst.config.ts')}
Object.assign(globalThis, { aws, sst })
export default await run(mod.run)`,
      resolveDir: root,
      sourcefile: 'eval.ts',
      loader: 'ts',
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2023',
    mainFields: ['module', 'main'],
    nodePaths: [join(platform, 'node_modules')],
    external: EXTERNAL,
    define: { $app: 'globalThis.app', $cli: 'globalThis.cli', $dev: 'false' },
    inject: [join(platform, 'src/shim/run.js')],
    banner: { js: BANNER },
    logLevel: 'silent',
  })
  return outfile
})

/** Takes away the bundles of every process that deployed something. */
export function forgetBundles(): void {
  for (const file of readdirSync(platform)) if (file.startsWith(BUNDLED)) rmSync(join(platform, file))
}

/** What the running `sst` answers the config's process: where the account keeps its things, and bundles. */
async function answering(work: string, built: Built[]): Promise<Server> {
  const out = join(work, 'bundle')
  await mkdir(out)
  await writeFile(join(out, 'index.mjs'), '')
  const answers: Record<string, (asked: any) => unknown> = {
    'Provider.Aws.Bootstrap': () => ({ asset: 'assets', assetEcrRegistryId: '', assetEcrUrl: '', state: 'state' }),
    'Provider.Aws.Appsync': () => ({ http: '', realtime: '' }),
    'Runtime.Build': (asked: Built) => {
      built.push(asked)
      return { handler: 'index.handler', out, errors: [], sourcemaps: [] }
    },
  }
  const server = createServer(async (request, response) => {
    const { method, params } = (await json(request)) as { method: string; params: unknown[] }
    const answer = answers[method]
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answer ? { result: answer(params[0]) } : { error: `${method} is not mocked` }))
  })
  // The config is silent for as long as it thinks.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await first(server, 'listening')
  return server
}
