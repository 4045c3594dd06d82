import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromMaven, needsOfJava } from './maven.ts'
import type { Server } from './server.ts'

const VERSION = '1.7.1'
const PROGRAMS = `elasticmq-${VERSION}`

/** ElasticMQ speaks SQS's protocol, and listens where it is told. It keeps its queues in memory: a restart begins empty. */
export const sqs: Server = {
  name: 'sqs',
  title: `ElasticMQ ${VERSION}, which speaks SQS`,
  port: 19324,
  ends: 'SIGTERM',
  needs: (cache) => needsOfJava(cache, PROGRAMS),
  async provision(cache, say) {
    await fromMaven(cache, PROGRAMS, [{ id: `org.elasticmq:elasticmq-server_2.13:${VERSION}` }], say)
  },
  async prepare({ cache, folder, port, settings = {} }) {
    const lines = [
      'include classpath("application.conf")',
      `node-address { host = "127.0.0.1", port = ${port} }`,
      `rest-sqs { bind-port = ${port}, bind-hostname = "127.0.0.1" }`,
      'rest-stats { enabled = false }',
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
    ]
    const file = join(folder, 'elasticmq.conf')
    await writeFile(file, `${lines.join('\n')}\n`)
    const memory = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC']
    const classes = `${join(cache, PROGRAMS, 'lib')}/*`
    return { command: 'java', args: [...memory, `-Dconfig.file=${file}`, '-cp', classes, 'org.elasticmq.server.Main'], cwd: folder }
  },
  variables: ({ port }) => [['TEST_SQS_URL', `http://127.0.0.1:${port}`]],
  async ask({ TEST_SQS_URL }) {
    const response = await fetch(TEST_SQS_URL as string, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.ListQueues' },
      body: '{}',
      signal: AbortSignal.timeout(2_000),
    })
    if (!response.ok) throw new Error(`ListQueues answered ${response.status}`)
    await response.arrayBuffer()
  },
}
