import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './detached.ts'
import { fromMaven, needsOfJava } from './maven.ts'
import type { Place, Server } from './server.ts'

const VERSION = '5.26.19'
const PROGRAMS = `neo4j-${VERSION}`
const USERNAME = 'neo4j'

/** APOC stands alone beside the few libraries of it that are asked for: its own commons-lang3 is older than Neo4j's. */
const ARTEFACTS = [
  { id: `org.neo4j:neo4j:${VERSION}` },
  { id: `org.neo4j.procedure:apoc-core:${VERSION}`, alone: true },
  { id: `org.neo4j.procedure:apoc-common:${VERSION}`, alone: true },
  { id: 'com.opencsv:opencsv:5.7.1', alone: true },
  { id: 'org.roaringbitmap:RoaringBitmap:0.7.17' },
  { id: 'org.hdrhistogram:HdrHistogram:2.1.9' },
  { id: 'com.jayway.jsonpath:json-path:2.9.0' },
]

const OPENED = ['java.nio', 'java.io', 'sun.nio.ch', 'java.util.concurrent'].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)

const passwordFile = (folder: string) => join(folder, 'password')

/** Neo4j Community with APOC core, authentication on: the password is made once and kept in the data folder. */
export const neo4j: Server = {
  name: 'neo4j',
  title: `Neo4j ${VERSION} Community with APOC core`,
  port: 17687,
  ends: 'SIGTERM',
  needs: (cache) => needsOfJava(cache, PROGRAMS),
  async provision(cache, say) {
    await fromMaven(cache, PROGRAMS, ARTEFACTS, say, moveApoc)
  },
  async prepare(place) {
    const programs = join(place.cache, PROGRAMS)
    const { folder } = place
    const conf = join(folder, 'conf')
    await mkdir(conf, { recursive: true })
    await writeFile(join(conf, 'neo4j.conf'), await settings(place, programs))
    await setPassword(folder, conf, programs)
    const classes = `${join(programs, 'plugins')}/*:${join(programs, 'lib')}/*`
    const memory = ['-Xms256m', '-Xmx768m', '-XX:+UseSerialGC']
    return {
      command: 'java',
      args: [
        ...[...memory, '-Dlog4j2.disable.jmx=true', ...OPENED, '-cp', classes, 'org.neo4j.server.CommunityEntryPoint'],
        ...[`--home-dir=${folder}`, `--config-dir=${conf}`, '--console-mode'],
      ],
      cwd: folder,
    }
  },
  variables: ({ folder, port }) => [
    ['TEST_NEO4J_URI', `bolt://127.0.0.1:${port}`],
    ['TEST_NEO4J_USERNAME', USERNAME],
    ['TEST_NEO4J_PASSWORD', readFileSync(passwordFile(folder), 'utf8')],
  ],
  async ask({ TEST_NEO4J_URI, TEST_NEO4J_USERNAME, TEST_NEO4J_PASSWORD }) {
    const { auth, driver } = await import('neo4j-driver-lite')
    const client = driver(TEST_NEO4J_URI as string, auth.basic(TEST_NEO4J_USERNAME as string, TEST_NEO4J_PASSWORD as string), {
      connectionTimeout: 2_000,
      maxTransactionRetryTime: 0,
    })
    try {
      await client.executeQuery('RETURN 1', {}, { database: 'neo4j' })
    } finally {
      await client.close()
    }
  },
}

/** APOC must be in a folder of plugins, and on the class path as well. */
async function moveApoc(folder: string): Promise<void> {
  await mkdir(join(folder, 'plugins'))
  for (const file of await readdir(join(folder, 'lib')))
    if (file.startsWith('apoc-')) await rename(join(folder, 'lib', file), join(folder, 'plugins', file))
}

/** The lines on the transaction log take a new home from 515 MB to 2 MB, the internal ones a stop from 11 s to under 2 s. */
async function settings({ port, settings: over }: Place, programs: string): Promise<string> {
  const all: Record<string, string> = {
    'server.bolt.listen_address': `127.0.0.1:${port}`,
    'server.http.enabled': 'false',
    'dbms.usage_report.enabled': 'false',
    'server.memory.pagecache.size': '128m',
    'dbms.security.procedures.unrestricted': 'apoc.*',
    'server.directories.plugins': join(programs, 'plugins'),
    'db.tx_log.preallocate': 'false',
    'db.tx_log.rotation.size': '16m',
    'internal.server.bolt.thread_pool_shutdown_wait_time': '0s',
    'internal.server.bolt.connection_shutdown_wait_time': '0s',
    'internal.dbms.bolt.netty_server_shutdown_quiet_period': '0',
    'internal.dbms.bolt.netty_server_shutdown_timeout': '1',
    ...over,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Before the first start; the file is complete before the server is told, so that an interrupted start can be repeated. */
async function setPassword(folder: string, conf: string, programs: string): Promise<void> {
  const file = passwordFile(folder)
  if (!existsSync(file)) {
    await writeFile(`${file}.part`, randomBytes(16).toString('hex'), { mode: 0o600 })
    await rename(`${file}.part`, file)
  }
  if (existsSync(join(folder, 'data', 'dbms')) || existsSync(join(folder, 'data', 'databases'))) return
  await run({
    command: 'java',
    args: [
      ...OPENED,
      '-cp',
      `${join(programs, 'lib')}/*`,
      'org.neo4j.cli.AdminTool',
      'dbms',
      'set-initial-password',
      readFileSync(file, 'utf8'),
    ],
    env: { NEO4J_HOME: folder, NEO4J_CONF: conf },
  })
}
