import { createHash, randomBytes } from 'node:crypto'
import pg from 'pg'
import { listen } from '../http/listen.ts'
import { direct } from './direct.ts'
import { sqlEndpoint } from './endpoint.ts'
import type { Preparation, TestDatabase } from './fixture.ts'
import { openPostgres } from './postgres.ts'

/** Neither is a superuser: one owns the database and may make roles, the other owns nothing, as where the service is kept for others. */
export const ROLES = { owner: 'twofold_test_owner', login: 'twofold_test_login' }
const PASSWORD = 'test'

const roles = Object.entries({
  twofold_app: 'nologin',
  [ROLES.owner]: `login createrole password '${PASSWORD}'`,
  [ROLES.login]: `login password '${PASSWORD}'`,
}).map(([name, options]) => `if not exists (select from pg_roles where rolname = '${name}') then create role ${name} ${options}; end if;`)

const PREPARE_CLUSTER = `do $$ begin ${roles.join('\n')}
  grant twofold_app to ${ROLES.owner} with admin option;
  grant pg_signal_backend to ${ROLES.owner};
  grant set on parameter session_replication_role to ${ROLES.owner}; end $$`

/** Held while a template is made, which several test processes may want at once. */
const LOCK = 'select pg_advisory_lock(1414213562)'
const UNLOCK = 'select pg_advisory_unlock(1414213562)'

/** A database of its own on the server at `url` (a superuser's), made from a template: 25 to 40 ms once that is there. */
export async function nativeDatabase(url: string, preparation: Preparation | undefined): Promise<TestDatabase> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  const name = `test_${randomBytes(8).toString('hex')}`
  try {
    await admin.query(LOCK)
    await admin.query(PREPARE_CLUSTER)
    const template = preparation && (await madeFrom(admin, url, preparation))
    if (template) await admin.query(`create database ${name} template ${template} owner ${ROLES.owner}`)
    else await create(admin, url, name)
    await admin.query(UNLOCK)
    const database = await open(url, name)
    return {
      ...database,
      async close() {
        await database.close()
        await admin.query(`drop database ${name} with (force)`)
        await admin.end()
      },
    }
  } catch (error) {
    await admin.end()
    throw error
  }
}

/** An empty one; the extension is not one that an owner may add. */
async function create(admin: pg.Client, url: string, name: string): Promise<void> {
  await admin.query(`create database ${name} owner ${ROLES.owner}`)
  const inside = new pg.Client({ connectionString: at(url, name) })
  await inside.connect()
  await inside.query('create extension vector')
  await inside.end()
}

async function madeFrom(admin: pg.Client, url: string, { key, prepare }: Preparation): Promise<string> {
  const name = `template_${createHash('sha256').update(key).digest('hex').slice(0, 16)}`
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [name])
  if (rowCount === 1) return name
  const unfinished = `${name}_unfinished`
  await admin.query(`drop database if exists ${unfinished} with (force)`)
  await create(admin, url, unfinished)
  const database = await open(url, unfinished)
  try {
    await prepare(database)
  } finally {
    await database.close()
  }
  await admin.query(`alter database ${unfinished} rename to ${name}`)
  return name
}

async function open(server: string, name: string): Promise<TestDatabase> {
  const log = () => undefined
  const urls = { login: at(server, name, ROLES.login), owner: at(server, name, ROLES.owner) }
  const [backend, owner] = [openPostgres({ url: urls.login, log }), openPostgres({ url: urls.owner, log })]
  const http = await listen(
    { sql: sqlEndpoint({ backend, connectionString: urls.login }), owner: sqlEndpoint({ backend: owner, connectionString: urls.owner }) },
    { log: console.error },
  )
  return {
    url: urls.login,
    fetchEndpoint: `${http.url}/sql`,
    owner: { url: urls.owner, fetchEndpoint: `${http.url}/owner` },
    sql: direct(owner),
    async close() {
      await http.close()
      await Promise.all([backend.close(), owner.close()])
    },
  }
}

const at = (server: string, database: string, role?: string): string =>
  Object.assign(new URL(server), { pathname: `/${database}`, ...(role && { username: role, password: PASSWORD }) }).href
