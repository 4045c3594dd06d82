import { z } from 'zod'

/** The only reader of the environment. Every variable is checked at start; a bad one is named with what it was and what is allowed. */

const flag = (otherwise: boolean) =>
  z
    .enum(['true', 'false', '1', '0'], { error: 'true or false' })
    .transform((value) => value === 'true' || value === '1')
    .default(otherwise)
const whole = (least: number, most: number, otherwise: number) =>
  z
    .string()
    .regex(/^\d+$/, `a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `a whole number from ${least} to ${most}`)
    .default(otherwise)
const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
    )
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
type Interval = keyof typeof INTERVALS
const DAY_MS = 86_400_000
const intervals = Object.fromEntries(Object.entries(INTERVALS).map(([name, ms]) => [name, whole(100, DAY_MS, ms)])) as {
  [N in Interval]: ReturnType<typeof whole>
}

const Env = z.object({
  DATABASE_URL: url('postgres:', 'postgresql:'),
  DATABASE_HTTP_URL: url('http:', 'https:').optional(),
  UPSTASH_REDIS_REST_URL: url('http:', 'https:').optional(),
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1).optional(),
  NEO4J_URI: url('neo4j:', 'neo4j+s:', 'neo4j+ssc:', 'bolt:', 'bolt+s:', 'bolt+ssc:').optional(),
  NEO4J_USERNAME: z.string().min(1).default('neo4j'),
  NEO4J_PASSWORD: z.string().min(1).optional(),
  NEO4J_DATABASE: z.string().min(1).default('neo4j'),
  NEO4J_POOL_MIN: whole(1, 1000, 0).transform((n) => n || undefined),
  NEO4J_POOL_MAX: whole(1, 1000, 0).transform((n) => n || undefined),
  GRAPH_QUEUE_URL: url('http:', 'https:').optional(),
  INGEST_QUEUE_URL: url('http:', 'https:').optional(),
  AWS_ENDPOINT_URL_SQS: url('http:', 'https:').optional(),
  AWS_LAMBDA_FUNCTION_NAME: z.string().optional(),
  AWS_REGION: z.string().min(1).default('us-east-1'),
  AWS_ACCESS_KEY_ID: z.string().min(1).optional(),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
  EMBEDDING_MODEL: model.default('embedded'),
  EMBEDDING_DIMENSIONS: whole(1, 4000, 0).transform((n) => n || undefined),
  LANGUAGE_MODEL: model.default('embedded'),
  OPENAI_API_KEY: z.string().min(1).optional(),
  OPENAI_BASE_URL: url('http:', 'https:').optional(),
  ENABLE_GRAPH_STORE: flag(true),
  ROLLBACK_ON_PARTIAL_FAILURE: flag(false),
  ENABLE_AUTO_SYNC: flag(true),
  ...intervals,
  NIGHTLY_HOUR: whole(0, 23, 3),
  RETRY_ATTEMPTS: whole(1, 10, 3),
  RETRY_DELAY_MS: whole(1, 10_000, 50),
  MEMORY_TTL_HOURS: whole(1, 87_600, 24),
  MEMORY_MAX_CONTEXT_LENGTH: whole(1, 500, 50),
  AUDIT_RETENTION_DAYS: whole(1, 36_500, 365),
  AUDIT_FLUSH_MS: whole(10, 60_000, 1000),
  SESSION_EVENTS_KEPT: whole(0, 1_000_000, 1000),
  TWOFOLD_OPERATOR_KEY: z.string().min(16, 'at least 16 characters').optional(),
  LOG_LEVEL: z.enum(['info', 'warn', 'error', 'silent'], { error: 'info, warn, error or silent' }).default('warn'),
})
export type Env = z.infer<typeof Env>

const SECRET = /KEY|TOKEN|UR[LI]|PASSWORD/

/** Whether this process is a function of the cloud, which serves one invocation at a time. */
export const inLambda = (): boolean => process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined

/** Reads and checks the variables; throws one error with a line for each bad one. */
export function readEnv(variables: Record<string, string | undefined> = process.env): Env {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = Env.safeParse(given)
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0])
    const value = given[name]
    const was = value === undefined ? 'is not set' : SECRET.test(name) ? 'is set to something else' : `is "${value}"`
    const allowed = issue.message.replace(/^Invalid input.*received undefined$/, 'a value')
    return `${name} ${was}; allowed is ${allowed}.`
  })
  throw new Error(`The configuration cannot be used:\n${[...new Set(lines)].map((line) => `  ${line}`).join('\n')}`)
}
