import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateQueueCommand, DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import pg from 'pg'

/** What each real part is reached by, for a service of its own. */
export interface Parts {
  postgres: { DATABASE_URL: string; DATABASE_OWNER_URL: string }
  redis: { REDIS_URL: string }
  neo4j: { NEO4J_URI: string; NEO4J_USERNAME: string; NEO4J_PASSWORD: string }
  queue: Record<'GRAPH_QUEUE_URL' | 'AWS_ENDPOINT_URL_SQS' | 'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY' | 'AWS_REGION', string>
  /** Statements as the superuser of the database. */
  owner(query: string, params?: readonly unknown[]): Promise<any[]>
  /** A new folder for a process's own things. */
  home(): Promise<string>
  close(): Promise<void>
}

const SECRET = 'hunter2'
const env = process.env as Record<string, string>

/**
 * An empty database with an owner and a login of its own, neither a superuser and the login owning nothing, a queue with its
 * dead-letter queue, and the Redis and Neo4j that are there. Passwords and names are such as URLs must escape.
 */
export async function openParts(): Promise<Parts> {
  const run = randomBytes(6).toString('hex')
  const database = `parts_${run}`
  const [owner, login] = [`owner/${run}`, `login @${run}`]
  const admin = new pg.Client({ connectionString: env.TEST_DATABASE_URL })
  await admin.connect()
  // The role of the application is the cluster's, and whoever came first made it; without the right to it none could be let in.
  await admin.query(`do $$ begin create role twofold_app nologin; exception when duplicate_object then null; end $$`)
  await admin.query(`create role "${owner}" login createrole password '${SECRET}'`)
  await admin.query(`create role "${login}" login password '${SECRET}'`)
  await admin.query(`grant twofold_app to "${owner}" with admin option`)
  await admin.query(`create database ${database} owner "${owner}"`)
  const at = (username?: string) =>
    Object.assign(new URL(env.TEST_DATABASE_URL as string), { pathname: `/${database}`, ...(username && { username, password: SECRET }) })
      .href
  const inside = new pg.Client({ connectionString: at() })
  await inside.connect()
  await inside.query('create extension vector')
  const queues = await makeQueues()
  const homes: string[] = []
  return {
    postgres: { DATABASE_URL: at(login), DATABASE_OWNER_URL: at(owner) },
    redis: { REDIS_URL: env.TEST_REDIS_URL as string },
    neo4j: process.env.NO_NEO
      ? ({} as never)
      : {
          NEO4J_URI: env.TEST_NEO4J_URI as string,
          NEO4J_USERNAME: env.TEST_NEO4J_USERNAME as string,
          NEO4J_PASSWORD: env.TEST_NEO4J_PASSWORD as string,
        },
    queue: queues.variables,
    owner: async (query, params = []) => (await inside.query(query, [...params])).rows,
    async home() {
      homes.push(await mkdtemp(join(tmpdir(), 'twofold-real-')))
      return homes.at(-1) as string
    },
    async close() {
      await inside.end()
      await admin.query(`drop database ${database} with (force)`)
      await admin.query(`drop role "${owner}", "${login}"`)
      await admin.end()
      await queues.remove()
      await Promise.all(homes.map((home) => rm(home, { recursive: true, force: true })))
    },
  }
}

/** Thirty seconds of visibility, as one invocation may take, and five receives before a message is set apart. */
async function makeQueues() {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new SQSClient({ endpoint: env.TEST_SQS_URL as string, region: 'us-east-1', credentials })
  const name = `graph-writes-${randomUUID()}`
  const { QueueUrl: dead } = await client.send(new CreateQueueCommand({ QueueName: `${name}-dead` }))
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${name}-dead`, maxReceiveCount: 5 })
  const { QueueUrl: url } = await client.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '30', RedrivePolicy } }),
  )
  return {
    variables: {
      GRAPH_QUEUE_URL: url as string,
      AWS_ENDPOINT_URL_SQS: env.TEST_SQS_URL as string,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: 'us-east-1',
    },
    async remove() {
      for (const QueueUrl of [url, dead]) await client.send(new DeleteQueueCommand({ QueueUrl }))
      client.destroy()
    },
  }
}
