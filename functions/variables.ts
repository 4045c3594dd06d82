import * as z from 'zod'
import type { Port } from './needs.ts'

/** Every variable that the functions read: what it may be, how it reaches them in the cloud, and who of them needs it. */

/** What a variable may be needed for alone: a port that not every function has, operations that only the operator may ask for, the queue of events. */
export type Need = Port | 'operator' | 'ingest'

/**
 * How a variable comes to a function in the cloud: a `secret` by a link that only those have who need it; a `setting` as
 * whoever deploys says it; what the `stacks` made as they name it; the rest the `platform` sets, or nobody.
 */
type Kind = 'secret' | 'setting' | 'stacks' | 'platform'

export interface Variable<S extends z.ZodType = z.ZodType> {
  schema: S
  kind: Kind
  /** Nobody else needs it; empty: everybody does. */
  needs: readonly Need[]
}

const of =
  (kind: Kind) =>
  <S extends z.ZodType>(schema: S, ...needs: Need[]): Variable<S> => ({ schema, kind, needs })
const [secret, setting, made, platform] = [of('secret'), of('setting'), of('stacks'), of('platform')]

/** What is read of a text; undefined is refused. One schema: chains of them, for thirty variables, are a tenth of what a function's start computes. */
const from = <T>(allowed: string, read: (text: string) => T | undefined) =>
  z.transform((given: unknown, context): T => {
    const value = typeof given === 'string' ? read(given) : undefined
    if (value !== undefined) return value
    context.issues.push({ code: 'custom', input: given, message: allowed })
    return z.NEVER
  })
const flag = (otherwise: boolean) =>
  from('true or false', (text) => (/^(true|1|false|0)$/.test(text) ? /^(true|1)$/.test(text) : undefined)).default(otherwise)
const whole = (least: number, most: number) =>
  from(`a whole number from ${least} to ${most}`, (text) => {
    const n = Number(text)
    return /^\d+$/.test(text) && n >= least && n <= most ? n : undefined
  })
const url = (...protocols: string[]) => {
  const allowed = `a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`
  return z.string({ error: allowed }).refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), allowed)
}
const web = url('http:', 'https:').optional()
const text = z.string({ error: 'a value' }).min(1)
const model = z.string().regex(/^(embedded|[a-z][a-z0-9-]*:.+)$/, 'embedded, or provider:model such as openai:text-embedding-3-small')

/** How often schedules run unless the environment says otherwise, in milliseconds. */
export const INTERVALS = {
  RELAY_INTERVAL_MS: 60_000,
  RUNS_INTERVAL_MS: 60_000,
  EXPIRE_INTERVAL_MS: 60_000,
  REEMBED_INTERVAL_MS: 60_000,
  CONSOLIDATE_INTERVAL_MS: 60_000,
  DOCUMENTS_INTERVAL_MS: 60_000,
  SYNC_INTERVAL_MS: 300_000,
  MEASURE_INTERVAL_MS: 300_000,
  POISON_INTERVAL_MS: 3_600_000,
  PURGE_INTERVAL_MS: 3_600_000,
} as const
const DAY_MS = 86_400_000
const interval = (ms: number) => setting(whole(100, DAY_MS).default(ms))
const intervals = Object.fromEntries(Object.entries(INTERVALS).map(([name, ms]) => [name, interval(ms)])) as {
  [N in keyof typeof INTERVALS]: ReturnType<typeof interval>
}

/** What is said of several places by name, as JSON. */
const places = <S extends z.ZodType>(of: S, example: string) => {
  const schema = z.record(z.string().regex(/^(?!home$)[a-z][a-z0-9-]{0,30}$/), of)
  return z
    .string()
    .transform((given, context): z.output<typeof schema> => {
      const parsed = schema.safeParse(json(given))
      if (parsed.success) return parsed.data
      context.addIssue({ code: 'custom', message: `JSON such as ${example}, without home` })
      return z.NEVER
    })
    .default({})
}
function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
const postgres = url('postgres:', 'postgresql:')
const neo4j = url('neo4j:', 'neo4j+s:', 'neo4j+ssc:', 'bolt:', 'bolt+s:', 'bolt+ssc:')
const Database = z.strictObject({ DATABASE_URL: postgres, DATABASE_HTTP_URL: web, DATABASE_OWNER_URL: postgres.optional() })
const Graph = z.strictObject({
  NEO4J_URI: neo4j,
  NEO4J_USERNAME: text.optional(),
  NEO4J_PASSWORD: text.optional(),
  NEO4J_DATABASE: text.optional(),
})

export const VARIABLES = {
  DATABASE_URL: secret(postgres),
  DATABASE_HTTP_URL: platform(web),
  UPSTASH_REDIS_REST_URL: secret(web),
  UPSTASH_REDIS_REST_TOKEN: secret(text.optional()),
  NEO4J_URI: secret(neo4j.optional(), 'graph'),
  NEO4J_USERNAME: setting(text.default('neo4j')),
  NEO4J_PASSWORD: secret(text.optional(), 'graph'),
  NEO4J_DATABASE: setting(text.default('neo4j')),
  /** Databases beside that, by the names of their places, and the graph of each; without one the graph is tables there. */
  PLACES: secret(places(Database, '{"eu2":{"DATABASE_URL":"postgresql://…"}}')),
  PLACES_NEO4J: secret(places(Graph, '{"eu2":{"NEO4J_URI":"neo4j+s://…","NEO4J_PASSWORD":"…"}}'), 'graph'),
  NEO4J_POOL_MIN: setting(whole(1, 1000).optional()),
  NEO4J_POOL_MAX: setting(whole(1, 1000).optional()),
  GRAPH_QUEUE_URL: made(web),
  INGEST_QUEUE_URL: made(web),
  METRICS_NAMESPACE: made(text.default('Twofold')),
  AWS_ENDPOINT_URL_SQS: platform(web),
  AWS_LAMBDA_FUNCTION_NAME: platform(text.optional()),
  AWS_REGION: platform(text.default('us-east-1')),
  AWS_ACCESS_KEY_ID: platform(text.optional()),
  AWS_SECRET_ACCESS_KEY: platform(text.optional()),
  AWS_SESSION_TOKEN: platform(text.optional()),
  EMBEDDING_MODEL: setting(model.default('embedded')),
  EMBEDDING_DIMENSIONS: setting(whole(1, 4000).optional()),
  LANGUAGE_MODEL: setting(model.default('embedded')),
  OPENAI_API_KEY: secret(text.optional(), 'embedder', 'extractor', 'language'),
  OPENAI_BASE_URL: setting(web),
  ENABLE_GRAPH_STORE: setting(flag(true)),
  ROLLBACK_ON_PARTIAL_FAILURE: setting(flag(false)),
  ENABLE_AUTO_SYNC: setting(flag(true)),
  ...intervals,
  NIGHTLY_HOUR: setting(whole(0, 23).default(3)),
  RETRY_ATTEMPTS: setting(whole(1, 10).default(3)),
  RETRY_DELAY_MS: setting(whole(1, 10_000).default(50)),
  BREAKER_RECOVERY_MS: setting(whole(100, 600_000).optional()),
  MEMORY_TTL_HOURS: setting(whole(1, 87_600).default(24)),
  MEMORY_MAX_CONTEXT_LENGTH: setting(whole(1, 500).default(50)),
  AUDIT_RETENTION_DAYS: setting(whole(1, 36_500).default(365)),
  AUDIT_FLUSH_MS: setting(whole(10, 60_000).default(1000)),
  SESSION_EVENTS_KEPT: setting(whole(0, 1_000_000).default(1000)),
  TWOFOLD_OPERATOR_KEY: secret(z.string().min(16, 'at least 16 characters').optional(), 'operator'),
  LOG_LEVEL: setting(z.enum(['info', 'warn', 'error', 'silent'], { error: 'info, warn, error or silent' }).default('warn')),
}
export type Name = keyof typeof VARIABLES
export const NAMES = Object.keys(VARIABLES) as Name[]

/** What only whoever deploys says, and no function reads. */
export const DEPLOYMENT = {
  ALARM_EMAIL: setting(z.email({ error: 'an e-mail address' }).optional()),
  MONTHLY_BUDGET_USD: setting(whole(1, 1_000_000).default(200)),
}

/** Variables that programs around the functions read; those that begin with one of `AROUND_PREFIXES` too. */
export const AROUND = [
  'DATABASE_OWNER_URL',
  'REDIS_URL',
  'TWOFOLD_HOME',
  'TWOFOLD_API_KEY',
  'TWOFOLD_URL',
  'TWOFOLD_NAMESPACE',
  'TWOFOLD_TOOLS',
]
export const AROUND_PREFIXES = ['TWOFOLD_SERVERS_']

/** Secrets, in the order of the table, and whether a deployment can do without. */
export const SECRETS = NAMES.filter((name) => VARIABLES[name].kind === 'secret')
export const isOptional = (name: Name): boolean => VARIABLES[name].schema.safeParse(undefined).success

/** What a secret is called as a resource and a link of SST. */
export const linkOf = (name: Name): string => pascal(name)

/** As SST wants the names of resources. */
const pascal = (name: string): string => name.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
