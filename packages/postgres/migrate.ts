import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { raw, sql } from '@twofold/core/sql.ts'
import { Answered } from './endpoint.ts'
import { asOwner, type Owner } from './owner.ts'
import { split } from './split.ts'

export interface Migration {
  number: number
  name: string
  sha256: string
  text: string
}

export interface MigrateOptions {
  /** Connects as the owner of the schema. */
  ownerUrl: string
  /** What the service connects as, when that is somebody else: it is let into the application role. */
  url?: string
  fetchEndpoint?: string
  fetch?: typeof fetch
  /** The migrations of another folder; for tests. */
  migrations?: readonly Migration[]
}

/**
 * Brings the schema up to this code, each migration in a transaction of its own, and says which were applied now. Safe
 * to run again and from several processes at once. Throws when an applied file has changed since, or when the database
 * is newer than this code.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const owner = asOwner({ url: options.ownerUrl, fetchEndpoint: options.fetchEndpoint, fetch: options.fetch })
  const migrations = options.migrations ?? (await readMigrations())
  await owner([raw('create schema if not exists twofold'), raw(TABLE)])
  const applied: string[] = []
  for (const migration of unapplied(migrations, await known(owner))) {
    if (await apply(owner, migration)) applied.push(migration.name)
  }
  unapplied(migrations, await known(owner))
  await letIn(owner, options.url)
  return applied
}

const TABLE = `create table if not exists twofold.migrations (
  number int primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now())`

/** The migrations of this code, in order. */
export async function readMigrations(folder = new URL('./migrations/', import.meta.url)): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, i) => {
      const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1])
      if (number !== i + 1) throw new Error(`migrations/${name}: must be named NNNN_words.sql with the number ${i + 1}`)
      const text = await readFile(new URL(name, folder), 'utf8')
      return { number, name, sha256: createHash('sha256').update(text).digest('hex'), text }
    }),
  )
}

type Known = Pick<Migration, 'number' | 'name' | 'sha256'>

const known = async (owner: Owner): Promise<Known[]> =>
  (await owner([raw('select number, name, sha256 from twofold.migrations order by number')]))[0] as unknown as Known[]

function unapplied(migrations: readonly Migration[], applied: readonly Known[]): Migration[] {
  for (const { number, name, sha256 } of applied) {
    const here = migrations.find((m) => m.number === number)
    if (!here) throw new Error(`the database has migration ${name}, which this version does not know: it was migrated by a newer one`)
    if (here.sha256 !== sha256) throw new Error(`migration ${here.name} was applied and has changed since; add a new one instead`)
  }
  return migrations.filter((m) => !applied.some((a) => a.number === m.number))
}

const APPLIED = 'TW003'

/** False when another process was quicker. */
async function apply(owner: Owner, { number, name, sha256, text }: Migration): Promise<boolean> {
  const guard = raw(`do $$ begin if exists (select from twofold.migrations where number = ${number}) then
    raise exception using errcode = '${APPLIED}', message = 'applied'; end if; end $$`)
  try {
    await owner([
      guard,
      ...split(text).map(raw),
      sql`insert into twofold.migrations (number, name, sha256) values (${number}, ${name}, ${sha256})`,
    ])
    return true
  } catch (error) {
    if (error instanceof Answered && error.said.code === APPLIED) return false
    throw new Error(`migration ${name} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** Nobody but a superuser may take on a role without being a member of it, not even its maker. Who is one already is left as he is, so that an owner who may not grant it can start. */
async function letIn(owner: Owner, url: string | undefined): Promise<void> {
  const login = url ? decodeURIComponent(new URL(url).username) : null
  const [grants] = await owner([
    sql`select format('grant twofold_app to %I', login.rolname) as text from pg_roles login, pg_roles app
      where app.rolname = 'twofold_app' and login.rolname in (current_user, ${login}) and not pg_has_role(login.oid, app.oid, 'set')`,
  ])
  await owner((grants ?? []).map(({ text }) => raw(String(text))))
}
