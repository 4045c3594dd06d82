import * as z from 'zod-own'
import { MODELS, type Port } from './needs.ts'

/** Every variable that the functions read: what it may be, how it reaches them in the cloud, and who of them needs it. */

/** What a variable may be needed for alone: a port that not every function has, operations that only the operator may ask for, the queue of events. */
export type Need = Port | 'operator' | 'ingest'

/**
 * How a variable comes to a function in the cloud: a `secret` by a link that only those have who need it; a `setting` as
 * whoever deploys says it; what the `stacks` made as they name it; the rest the `platform` sets, or nobody.
 */
type Kind = 'secret' | 'setting' | 'stacks' | 'platform'

/** What a variable may be: what is said of that, what a text means (undefined: it is not allowed), and what it is when nobody says. */
export interface Value<T> {
  allowed: string
  read(text: string): T | undefined
  /** Without this it has to be said. */
  unset?: { value: T }
}

export interface Variable<T = unknown> {
  value: Value<T>
  kind: Kind
  /** Nobody else needs it; empty: everybody does. */
  needs: readonly Need[]
}

const of =
  (kind: Kind) =>
  <T>(value: Value<T>, ...needs: Need[]): Variable<T> => ({ value, kind, needs })
const [secret, setting, made, platform] = [of('secret'), of('setting'), of('stacks'), of('platform')]

// Plain functions: schemas of fifty variables were a tenth of what the start of a function computes, and each is read once.
const optional = <T>(value: Value<T>): Value<T | undefined> => ({ ...value, unset: { value: undefined } })
const or = <T>(otherwise: T, value: Value<T>): Value<T> => ({ ...value, unset: { value: otherwise } })
const matching = (allowed: string, pattern: RegExp): Value<string> => ({
  allowed,
  read: (text) => (pattern.test(text) ? text : undefined),
})
const flag: Value<boolean> = {
  allowed: 'true or false',
  read: (text) => (/^(true|1|false|0)$/.test(text) ? /^(true|1)$/.test(text) : undefined),
}
const whole = (least: number, most: number): Value<number> => ({
  allowed: `a whole number from ${least} to ${most}`,
  read(text) {
    const n = Number(text)
    return /^\d+$/.test(text) && n >= least && n <= most ? n : undefined
  },
})
const url = (...protocols: string[]): Value<string> => ({
  allowed: `a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  read: (text) => (protocols.includes(URL.parse(text)?.protocol ?? '') ? text : undefined),
})
const web = optional(url('http:', 'https:'))
const text: Value<string> = { allowed: 'a value', read: (given) => given }
const level = matching('info, warn, error or silent', /^(info|warn|error|silent)$/) as Value<'info' | 'warn' | 'error' | 'silent'>
const email: Value<string> = { allowed: 'an e-mail address', read: (given) => z.email().safeParse(given).data }
const model = matching('embedded, or provider:model such as openai:text-embedding-3-small', /^(embedded|[a-z][a-z0-9-]*:.+)$/)

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
const interval = (ms: number) => setting(or(ms, whole(100, DAY_MS)))
const intervals = Object.fromEntries(Object.entries(INTERVALS).map(([name, ms]) => [name, interval(ms)])) as {
  [N in keyof typeof INTERVALS]: ReturnType<typeof interval>
}

const postgres = url('postgres:', 'postgresql:')
const neo4j = url('neo4j:', 'neo4j+s:', 'neo4j+ssc:', 'bolt:', 'bolt+s:', 'bolt+ssc:')

/** What is said of several places by name, as JSON; `fields` makes the schema of one, for the few who say it. */
const places = <S extends z.ZodType>(example: string, fields: () => S): Value<Record<string, z.output<S>>> =>
  or(
    {},
    {
      allowed: `JSON such as ${example}, without home`,
      read: (given) => z.record(z.string().regex(/^(?!home$)[a-z][a-z0-9-]{0,30}$/), fields()).safeParse(json(given)).data,
    },
  )
function json(given: string): unknown {
  try {
    return JSON.parse(given)
  } catch {
    return undefined
  }
}
const field = ({ read, allowed }: Value<string | undefined>) => z.string().refine((given) => read(given) !== undefined, allowed)
const databaseOf = () =>
  z.strictObject({
    DATABASE_URL: field(postgres),
    DATABASE_HTTP_URL: field(web).optional(),
    DATABASE_OWNER_URL: field(postgres).optional(),
  })
const graphOf = () => {
  const some = z.string().min(1).optional()
  return z.strictObject({ NEO4J_URI: field(neo4j), NEO4J_USERNAME: some, NEO4J_PASSWORD: some, NEO4J_DATABASE: some })
}

export const VARIABLES = {
  DATABASE_URL: secret(postgres),
  DATABASE_HTTP_URL: platform(web),
  UPSTASH_REDIS_REST_URL: secret(web),
  UPSTASH_REDIS_REST_TOKEN: secret(optional(text)),
  NEO4J_URI: secret(optional(neo4j), 'graph'),
  NEO4J_USERNAME: setting(or('neo4j', text)),
  NEO4J_PASSWORD: secret(optional(text), 'graph'),
  NEO4J_DATABASE: setting(or('neo4j', text)),
  /** Databases beside that, by the names of their places, and the graph of each; without one the graph is tables there. */
  PLACES: secret(places('{"eu2":{"DATABASE_URL":"postgresql://…"}}', databaseOf)),
  PLACES_NEO4J: secret(places('{"eu2":{"NEO4J_URI":"neo4j+s://…","NEO4J_PASSWORD":"…"}}', graphOf), 'graph'),
  NEO4J_POOL_MIN: setting(optional(whole(1, 1000))),
  NEO4J_POOL_MAX: setting(optional(whole(1, 1000))),
  GRAPH_QUEUE_URL: made(web),
  INGEST_QUEUE_URL: made(web),
  METRICS_NAMESPACE: made(or('Twofold', text)),
  AWS_ENDPOINT_URL_SQS: platform(web),
  AWS_LAMBDA_FUNCTION_NAME: platform(optional(text)),
  AWS_REGION: platform(or('us-east-1', text)),
  AWS_ACCESS_KEY_ID: platform(optional(text)),
  AWS_SECRET_ACCESS_KEY: platform(optional(text)),
  AWS_SESSION_TOKEN: platform(optional(text)),
  EMBEDDING_MODEL: setting(or('embedded', model)),
  EMBEDDING_DIMENSIONS: setting(optional(whole(1, 4000))),
  LANGUAGE_MODEL: setting(or('embedded', model)),
  OPENAI_API_KEY: secret(optional(text), ...MODELS),
  OPENAI_BASE_URL: setting(web),
  ENABLE_GRAPH_STORE: setting(or(true, flag)),
  ROLLBACK_ON_PARTIAL_FAILURE: setting(or(false, flag)),
  ENABLE_AUTO_SYNC: setting(or(true, flag)),
  ...intervals,
  NIGHTLY_HOUR: setting(or(3, whole(0, 23))),
  RETRY_ATTEMPTS: setting(or(3, whole(1, 10))),
  RETRY_DELAY_MS: setting(or(50, whole(1, 10_000))),
  BREAKER_RECOVERY_MS: setting(optional(whole(100, 600_000))),
  MEMORY_TTL_HOURS: setting(or(24, whole(1, 87_600))),
  MEMORY_MAX_CONTEXT_LENGTH: setting(or(50, whole(1, 500))),
  AUDIT_RETENTION_DAYS: setting(or(365, whole(1, 36_500))),
  AUDIT_FLUSH_MS: setting(or(1000, whole(10, 60_000))),
  SESSION_EVENTS_KEPT: setting(or(1000, whole(0, 1_000_000))),
  TWOFOLD_OPERATOR_KEY: secret(optional(matching('at least 16 characters', /^.{16,}$/s)), 'operator'),
  LOG_LEVEL: setting(or('warn', level)),
}
export type Name = keyof typeof VARIABLES
export const NAMES = Object.keys(VARIABLES) as Name[]

/** What only whoever deploys says, and no function reads. */
export const DEPLOYMENT = {
  ALARM_EMAIL: setting(optional(email)),
  MONTHLY_BUDGET_USD: setting(or(200, whole(1, 1_000_000))),
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
export const isOptional = (name: Name): boolean => VARIABLES[name].value.unset !== undefined

/** What a secret is called as a resource and a link of SST. */
export const linkOf = (name: Name): string => pascal(name)

/** As SST wants the names of resources. */
const pascal = (name: string): string => name.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
