import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { listen } from '../http/listen.ts'
import { direct } from './direct.ts'
import { sqlEndpoint } from './endpoint.ts'
import { nameOf, type Preparation, type TestDatabase } from './fixture.ts'
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

const LOCK = 1414213562

/** What concerns the whole cluster, and templates of what is made in a moment. */
const CLUSTER = 'cluster'
/** Templates that begin with another one: to make one may take long, and holds up only those who want it. */
const FILLED = 'filled'

/** Alone among all test processes. */
async function alone<T>(admin: pg.Client, name: typeof CLUSTER | typeof FILLED, work: () => Promise<T>): Promise<T> {
  await admin.query('select pg_advisory_lock($1, hashtext($2))', [LOCK, name])
  try {
    return await work()
  } finally {
    await admin.query('select pg_advisory_unlock($1, hashtext($2))', [LOCK, name])
  }
}

/** A database of its own on the server at `url` (a superuser's), made from a template: 25 to 40 ms once that is there. */
export async function nativeDatabase(url: string, preparation: Preparation | undefined): Promise<TestDatabase> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  const name = `test_${randomBytes(8).toString('hex')}`
  try {
    await alone(admin, CLUSTER, () => admin.query(PREPARE_CLUSTER))
    await make(admin, url, name, preparation)
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

/** With what the preparation leaves, which is a template from then on. */
async function make(admin: pg.Client, url: string, name: string, preparation: Preparation | undefined): Promise<void> {
  if (!preparation) return alone(admin, CLUSTER, () => makeEmpty(admin, url, name))
  const [lock, prefix, strategy] = preparation.on ? ([FILLED, 'filled', 'file_copy'] as const) : ([CLUSTER, 'template', 'wal_log'] as const)
  await alone(admin, lock, async () => {
    const template = `${prefix}_${nameOf(preparation)}`
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [template])
    if (rowCount === 0) await makeTemplate(admin, url, template, preparation)
    await admin.query(`create database ${name} template ${template} owner ${ROLES.owner} strategy ${strategy}`)
  })
}

async function makeTemplate(admin: pg.Client, url: string, template: string, { on, prepare }: Preparation): Promise<void> {
  if (on) await dropFilled(admin)
  const unfinished = `${template}_unfinished`
  await admin.query(`drop database if exists ${unfinished} with (force)`)
  await make(admin, url, unfinished, on)
  const database = await open(url, unfinished)
  try {
    await prepare(database)
  } finally {
    await database.close()
  }
  await admin.query(`alter database ${unfinished} rename to ${template}`)
}

/** Of a gigabyte each, one is kept: the last that somebody wanted. */
async function dropFilled(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query(`select datname from pg_database where datname like 'filled\\_%'`)
  for (const { datname } of rows) await admin.query(`drop database ${datname} with (force)`)
}

/** The extension is not one that an owner may add. */
async function makeEmpty(admin: pg.Client, url: string, name: string): Promise<void> {
  await admin.query(`create database ${name} owner ${ROLES.owner}`)
  const inside = new pg.Client({ connectionString: at(url, name) })
  await inside.connect()
  await inside.query('create extension vector')
  await inside.end()
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
