import { execFile } from 'node:child_process'
import { createCipheriv, randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { breakerOf } from './breakers.ts'
import { readEnv, readStage } from './env.ts'
import { probableTypos } from './typos.ts'
import { isOptional, linkOf, NAMES, SECRETS, VARIABLES } from './variables.ts'

const DATABASE_URL = 'postgres://owner:secret@localhost/twofold'
const MODELS = { EMBEDDING_MODEL: 'openai:text-embedding-3-small', LANGUAGE_MODEL: 'openai:gpt-5-mini' }
const KEY = { OPENAI_API_KEY: 'sk-never-shown' }

const linesOf = (read: () => unknown): string[] => {
  try {
    read()
  } catch (error) {
    return (error as Error).message.split('\n').slice(1)
  }
  return []
}

test('schedules run by the minute, compare the stores every five and all of them at three, unless told otherwise', () => {
  expect(readEnv({ DATABASE_URL })).toMatchObject({
    ...{ RELAY_INTERVAL_MS: 60_000, EXPIRE_INTERVAL_MS: 60_000, REEMBED_INTERVAL_MS: 60_000, RUNS_INTERVAL_MS: 60_000 },
    ...{ SYNC_INTERVAL_MS: 300_000, NIGHTLY_HOUR: 3, ENABLE_AUTO_SYNC: true },
  })
  expect(
    readEnv({ DATABASE_URL, SYNC_INTERVAL_MS: '1000', NIGHTLY_HOUR: '0', ENABLE_AUTO_SYNC: 'false', PURGE_INTERVAL_MS: '' }),
  ).toMatchObject({
    ...{ SYNC_INTERVAL_MS: 1000, NIGHTLY_HOUR: 0, ENABLE_AUTO_SYNC: false, PURGE_INTERVAL_MS: 3_600_000 },
  })
})

test('a store that fails is left alone for as long as is usual for it, unless told otherwise', () => {
  const stores = ['postgres', 'neo4j', 'redis'] as const
  const waits = (told: Record<string, string>) => stores.map((store) => breakerOf(readEnv({ DATABASE_URL, ...told }), store).recoveryMs)
  expect(waits({})).toEqual([30_000, 45_000, 10_000])
  expect(waits({ BREAKER_RECOVERY_MS: '500' })).toEqual([500, 500, 500])
})

/** A value that each variable cannot have, where there is one. */
const BAD: Record<string, string> = {
  ...Object.fromEntries(
    NAMES.filter((name) => /_(MS|HOURS|HOUR|DAYS|KEPT|LENGTH|ATTEMPTS|DIMENSIONS|MIN|MAX)$/.test(name)).map((name) => [name, 'x']),
  ),
  ...Object.fromEntries(NAMES.filter((name) => /_UR[LI]$|URL_SQS$/.test(name)).map((name) => [name, 'ftp://never-shown'])),
  ...Object.fromEntries(NAMES.filter((name) => /^(ENABLE|ROLLBACK)_/.test(name)).map((name) => [name, 'maybe'])),
  ...{
    EMBEDDING_MODEL: 'the best',
    LANGUAGE_MODEL: 'the best',
    LOG_LEVEL: 'loud',
    TWOFOLD_OPERATOR_KEY: 'never-shown',
    PLACES: '{"home":"never-shown"}',
    PLACES_NEO4J: 'never-shown',
  },
}
/** What any text will do for. */
const ANY =
  /^(AWS_(LAMBDA_FUNCTION_NAME|REGION|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|METRICS_NAMESPACE|UPSTASH_REDIS_REST_TOKEN|NEO4J_(USERNAME|PASSWORD|DATABASE)|OPENAI_API_KEY)$/

describe('a configuration that cannot be used', () => {
  test.each(NAMES.filter((name) => !ANY.test(name)))(
    '%s, malformed, is one line that names it, what it was and what is allowed',
    (name) => {
      const [line, ...others] = linesOf(() => readEnv({ DATABASE_URL, [name]: BAD[name] }))
      expect(others).toEqual([])
      expect(line).toMatch(new RegExp(`^ {2}${name} is .+; allowed is .+\\.$`))
      expect(line).not.toContain('never-shown')
      if (VARIABLES[name].kind !== 'secret' && !name.includes('URL')) expect(line).toContain(`is "${BAD[name]}";`)
    },
  )

  test.each(SECRETS.filter((name) => !isOptional(name)))('%s, missing or empty, is named as that', (name) => {
    const without = { DATABASE_URL, [name]: undefined }
    expect(linesOf(() => readEnv(without))).toEqual([expect.stringMatching(new RegExp(`^ {2}${name} is not set; allowed is a URL`))])
    expect(linesOf(() => readEnv({ ...without, [name]: '' }))).toEqual([
      expect.stringMatching(new RegExp(`^ {2}${name} is empty; allowed is`)),
    ])
  })

  test.each([
    ['SYNC_INTERVAL_MS', '99', 'is "99"; allowed is a whole number from 100 to 86400000.'],
    ['PURGE_INTERVAL_MS', 'daily', 'is "daily"; allowed is a whole number from 100 to 86400000.'],
    ['NIGHTLY_HOUR', '24', 'is "24"; allowed is a whole number from 0 to 23.'],
    ['ENABLE_AUTO_SYNC', 'no', 'is "no"; allowed is true or false.'],
    ['EMBEDDING_DIMENSIONS', '0', 'is "0"; allowed is a whole number from 1 to 4000.'],
  ])('%s as "%s" is refused by name', (name, value, said) => {
    expect(linesOf(() => readEnv({ DATABASE_URL, [name]: value }))).toEqual([`  ${name} ${said}`])
  })

  test.each([
    [
      { UPSTASH_REDIS_REST_URL: 'https://x.upstash.io' },
      'UPSTASH_REDIS_REST_TOKEN is not set; allowed is a value, since UPSTASH_REDIS_REST_URL is set.',
    ],
    [
      { UPSTASH_REDIS_REST_TOKEN: 'token' },
      'UPSTASH_REDIS_REST_URL is not set; allowed is a value, since UPSTASH_REDIS_REST_TOKEN is set.',
    ],
    [{ EMBEDDING_MODEL: 'openai:x' }, 'OPENAI_API_KEY is not set; allowed is a value, since EMBEDDING_MODEL is "openai:x".'],
    [
      { LANGUAGE_MODEL: 'openai-compatible:x' },
      'OPENAI_BASE_URL is not set; allowed is a value, since LANGUAGE_MODEL is "openai-compatible:x".',
    ],
  ])('what only shows in two variables is a line as well: %o', (given, said) => {
    expect(linesOf(() => readEnv({ DATABASE_URL, ...given }))).toEqual([`  ${said}`])
  })

  test('all that is bad is said at once, each variable once', () => {
    const said = linesOf(() => readEnv({ NIGHTLY_HOUR: 'x', UPSTASH_REDIS_REST_TOKEN: 'token', LANGUAGE_MODEL: 'openai:x' }))
    expect(said.map((line) => line.trim().split(' ')[0])).toEqual([
      'DATABASE_URL',
      'NIGHTLY_HOUR',
      'UPSTASH_REDIS_REST_URL',
      'OPENAI_API_KEY',
    ])
  })

  test('in the cloud a model must be one that the functions hold', () => {
    const cloud = { DATABASE_URL, ...MODELS, ...KEY, AWS_LAMBDA_FUNCTION_NAME: 'search' }
    expect(linesOf(() => readEnv(cloud))).toEqual([])
    expect(linesOf(() => readEnv({ ...cloud, EMBEDDING_MODEL: undefined }))).toEqual([
      expect.stringMatching(/^ {2}EMBEDDING_MODEL is not set; allowed is openai:…, openai-compatible:… or amazon-bedrock:… in the cloud/),
    ])
    const bedrock = { EMBEDDING_MODEL: 'amazon-bedrock:amazon.titan-embed-text-v2:0', OPENAI_API_KEY: undefined }
    expect(linesOf(() => readEnv({ ...cloud, ...bedrock, LANGUAGE_MODEL: 'amazon-bedrock:eu.amazon.nova-lite-v1:0' }))).toEqual([])
    expect(linesOf(() => readEnv({ ...cloud, LANGUAGE_MODEL: 'mistral:large' }))).toEqual([
      expect.stringContaining('LANGUAGE_MODEL is "mistral:large"; allowed is'),
    ])
  })

  test('who takes events is told from which queue', () => {
    const cloud = { DATABASE_URL, ...MODELS, ...KEY, AWS_LAMBDA_FUNCTION_NAME: 'ingest' }
    expect(linesOf(() => readEnv(cloud, { needs: ['ingest'] }))).toEqual([
      expect.stringContaining('INGEST_QUEUE_URL is not set; allowed is a value'),
    ])
    expect(linesOf(() => readEnv(cloud, { needs: ['queue'] }))).toEqual([])
  })

  test('who calls no model needs no key of one', () => {
    const cloud = { DATABASE_URL, ...MODELS, AWS_LAMBDA_FUNCTION_NAME: 'get' }
    expect(linesOf(() => readEnv(cloud, { needs: ['graph', 'queue'] }))).toEqual([])
    expect(linesOf(() => readEnv(cloud, { needs: ['extractor'] }))).toEqual([expect.stringContaining('OPENAI_API_KEY is not set')])
  })
})

describe('what is read by nobody', () => {
  test.each([
    ['DATABSE_URL', 'DATABASE_URL'],
    ['NEO4J_URL', 'NEO4J_URI'],
    ['NEO4J_USER', 'NEO4J_USERNAME'],
    ['UPSTASH_REDIS_URL', 'UPSTASH_REDIS_REST_URL'],
    ['OPENAI_KEY', 'OPENAI_API_KEY'],
    ['embedding_model', 'EMBEDDING_MODEL'],
    ['TWOFOLD_OPERATR_KEY', 'TWOFOLD_OPERATOR_KEY'],
    ['ALARMS_EMAIL', 'ALARM_EMAIL'],
  ])('%s is named, and that %s is probably meant', (name, meant) => {
    expect(probableTypos({ [name]: 'secret' })).toEqual([`${name} is read by nobody; ${meant} is probably meant.`])
  })

  test('with our prefix it is named though it is like nothing', () => {
    expect(probableTypos({ TWOFOLD_COLOUR: 'red' })).toEqual(['TWOFOLD_COLOUR is read by nobody.'])
  })

  test('a link is named as a variable is', () => {
    expect(probableTypos({}, { DatabseUrl: {}, App: {}, Uploads: {}, DatabaseUrl: {} })).toEqual([
      'DatabseUrl is read by nobody; DatabaseUrl is probably meant.',
    ])
  })

  test('beside what is bad it is said in the same breath, and by itself it stops nothing', () => {
    expect(linesOf(() => readEnv({ DATABSE_URL: DATABASE_URL }))).toEqual([
      expect.stringContaining('DATABASE_URL is not set; allowed is a URL'),
      '  DATABSE_URL is read by nobody; DATABASE_URL is probably meant.',
    ])
    expect(linesOf(() => readEnv({ DATABASE_URL, TWOFOLD_COLOUR: 'red' }))).toEqual([])
  })

  test('nothing that a platform or another program has for itself is taken for one of ours', () => {
    const others =
      'PATH HOME PORT CI NODE_ENV AWS_REGION AWS_DEFAULT_REGION AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_FUNCTION_MEMORY_SIZE TEST_DATABASE_URL'
    const more =
      'TEST_NEO4J_URI NEO4J_HOME NEO4J_CONF SST_KEY SST_KEY_FILE SST_RESOURCE_App PGHOST REDIS_URL DATABASE_URL_UNPOOLED HTTP_PROXY no_proxy'
    expect(probableTypos(Object.fromEntries(`${others} ${more}`.split(' ').map((name) => [name, 'x'])))).toEqual([])
  })

  test('every variable of ours that some program of this repository reads is known', () => {
    const root = join(import.meta.dirname, '..')
    const files = globSync('{functions,packages,tests,examples}/**/*.{ts,md,mjs}', {
      cwd: root,
      exclude: ['**/node_modules/**', '**/*.test.ts'],
    })
    const read = files.flatMap((file) => readFileSync(join(root, file), 'utf8').match(/\bTWOFOLD_[A-Z_]*[A-Z]\b/g) ?? [])
    expect(new Set(read).size).toBeGreaterThan(5)
    expect(probableTypos(Object.fromEntries(read.map((name) => [name, 'x'])))).toEqual([])
  })
})

describe('links', () => {
  const links = { DatabaseUrl: { value: DATABASE_URL }, Neo4jPassword: { value: 'secret' }, OpenaiApiKey: { value: '' } }

  test('say what no variable says, and a secret that is empty counts as not set', () => {
    expect(readEnv({}, { links })).toMatchObject({ DATABASE_URL, NEO4J_PASSWORD: 'secret' })
    expect(readEnv({ NEO4J_PASSWORD: 'given' }, { links }).NEO4J_PASSWORD).toBe('given')
    expect(readEnv({}, { links }).OPENAI_API_KEY).toBeUndefined()
  })

  test('that are malformed are named as the variable that they stand for', () => {
    const [line, ...others] = linesOf(() => readEnv({}, { links: { DatabaseUrl: { value: 'mysql://never-shown' } } }))
    expect(others).toEqual([])
    expect(line).toBe('  DATABASE_URL is set to something else; allowed is a URL that begins with postgres:// or postgresql://.')
  })

  test('every secret has a name of its own that SST takes', () => {
    expect(new Set(SECRETS.map(linkOf)).size).toBe(SECRETS.length)
    for (const name of SECRETS) expect(linkOf(name)).toMatch(/^[A-Z][A-Za-z0-9]*$/)
  })

  /** As SST deploys a function: its links encrypted in a file beside it, the key in a variable. */
  const inProcess = async (key: string) => {
    const folder = await mkdtemp(join(tmpdir(), 'twofold-links-'))
    try {
      const cipher = createCipheriv('aes-256-gcm', Buffer.alloc(32, 1), Buffer.alloc(12))
      await writeFile(
        join(folder, 'resource.enc'),
        Buffer.concat([cipher.update(JSON.stringify(links)), cipher.final(), cipher.getAuthTag()]),
      )
      const code = `const { readEnv } = await import(${JSON.stringify(join(import.meta.dirname, 'env.ts'))}); console.log(readEnv().DATABASE_URL)`
      const env = { ...process.env, DATABASE_URL: '', SST_KEY: key, SST_KEY_FILE: 'resource.enc' }
      return await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { cwd: folder, env })
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  test('are read as SST hands them to a function', async () => {
    expect((await inProcess(Buffer.alloc(32, 1).toString('base64'))).stdout).toBe(`${DATABASE_URL}\n`)
  })

  test('that cannot be read are said to be that', async () => {
    await expect(inProcess(randomBytes(32).toString('base64'))).rejects.toThrow(
      /The links of this function cannot be read: SST_KEY or the file/,
    )
  })
})

describe('a stage', () => {
  const stage = { SST_SECRET_DatabaseUrl: DATABASE_URL, SST_SECRET_OpenaiApiKey: 'sk', ...MODELS }

  test('is told its settings by variables and its secrets by SST, never a secret by a variable of whoever deploys', () => {
    const { env, settings, deployment } = readStage({
      ...stage,
      DATABASE_URL: 'postgres://my-laptop/x',
      RELAY_INTERVAL_MS: '120000',
      ALARM_EMAIL: 'a@b.example',
    })
    expect(env).toMatchObject({ DATABASE_URL, RELAY_INTERVAL_MS: 120_000, SYNC_INTERVAL_MS: 300_000 })
    expect(settings).toEqual({ ...MODELS, RELAY_INTERVAL_MS: '120000' })
    expect(deployment).toEqual({ ALARM_EMAIL: 'a@b.example', MONTHLY_BUDGET_USD: 200 })
  })

  test('that its functions could not use is refused, by the names that whoever deploys knows', () => {
    expect(
      linesOf(() => readStage({ EMBEDDING_MODEL: 'openai:x', LANGUAGE_MODEL: 'openai:y', ALARM_EMAIL: 'nobody', OPENAI_KEY: 'sk' })),
    ).toEqual([
      '  DATABASE_URL (the secret DatabaseUrl) is not set; allowed is a URL that begins with postgres:// or postgresql://.',
      '  OPENAI_API_KEY (the secret OpenaiApiKey) is not set; allowed is a value, since EMBEDDING_MODEL is "openai:x".',
      '  ALARM_EMAIL is "nobody"; allowed is an e-mail address.',
      '  OPENAI_KEY is read by nobody; OPENAI_API_KEY is probably meant.',
    ])
  })
})
