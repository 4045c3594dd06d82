import type { Log } from '@twofold/core/ports.ts'
import type { BreakerSettings } from '@twofold/resilience/breaker.ts'
import type { RetrySettings } from '@twofold/resilience/retry.ts'
import neo4j, { type AuthToken, type Driver } from 'neo4j-driver-lite'

export interface Neo4jServer {
  /** `bolt` or `neo4j`, with `+s` or `+ssc` for encryption. */
  uri: string
  username: string
  /** Without one, the server asks for none. */
  password?: string | undefined
  database: string
}

export interface Neo4jOptions extends Neo4jServer {
  /** Connections opened at once, and the most there may be. */
  pool: { min: number; max: number }
  breaker: BreakerSettings
  retry: RetrySettings
  now(): Date
  log: Log
  /** Told of each session and transaction that is opened, of each session that is closed, and of each attempt that is repeated. */
  count?(what: 'session' | 'closed' | 'transaction' | 'retry'): void
}

/** The type knows no scheme without credentials. */
const NO_LOGIN = { scheme: 'none' } as AuthToken

const ACQUISITION_MS = 1_000
/** A connection that was idle for longer is asked for a sign of life before it is used. */
const IDLE_MS = 30_000

export const openDriver = ({ uri, username, password }: Neo4jServer, most: number): Driver =>
  neo4j.driver(uri, password === undefined ? NO_LOGIN : neo4j.auth.basic(username, password), {
    maxConnectionPoolSize: most,
    connectionAcquisitionTimeout: ACQUISITION_MS,
    connectionTimeout: ACQUISITION_MS,
    connectionLivenessCheckTimeout: IDLE_MS,
    fetchSize: -1,
    disableLosslessIntegers: true,
    disableAutoCommitRetries: true,
    notificationFilter: { minimumSeverityLevel: 'OFF' },
    telemetryDisabled: true,
    userAgent: 'twofold',
  })
