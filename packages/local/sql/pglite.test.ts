import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sqlContract } from './contract.ts'
import { emptyTemplate } from './fixture.ts'
import { openPglite } from './pglite.ts'
import { keepUp } from './upkeep.ts'

const log = console.error

sqlContract('PGlite behind /sql', async () => openPglite({ log, template: await emptyTemplate() }))

describe('a store on disk', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'twofold-store-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const query = async (store: { single: Awaited<ReturnType<typeof openPglite>>['single'] }, text: string) =>
    (await store.single({ query: text, params: [] })).rows

  test('what was acknowledged is there after SIGKILL, and the store opens again', { timeout: 60_000 }, async () => {
    const writer = spawn(process.execPath, [fileURLToPath(new URL('acknowledging-writer.ts', import.meta.url)), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = 0
    for await (const line of createInterface({ input: writer.stdout })) {
      acknowledged = Number(line)
      if (acknowledged >= 57) writer.kill('SIGKILL')
    }
    const [, signal] = writer.exitCode === null && writer.signalCode === null ? await once(writer, 'exit') : [null, writer.signalCode]
    expect(signal).toBe('SIGKILL')
    const store = await openPglite({ folder, log })
    try {
      expect(store.created).toBe(false)
      const [[kept, pairs] = []] = await query(
        store,
        'select max(n), count(*) filter (where parts <> 2) from (select n, count(*) as parts from written group by n)',
      )
      expect(Number(kept)).toBeGreaterThanOrEqual(acknowledged)
      expect(pairs).toBe('0')
    } finally {
      await store.close()
    }
  })

  test('one folder is opened once at a time, and the message names the process that has it', { timeout: 30_000 }, async () => {
    const store = await openPglite({ folder, log, template: await emptyTemplate() })
    await expect(openPglite({ folder, log })).rejects.toMatchObject({
      name: 'LockedError',
      pid: process.pid,
      message: expect.stringContaining(String(process.pid)),
    })
    await query(store, 'create table kept as select 1 as one')
    await store.close()
    expect(await readFile(join(folder, 'version.txt'), 'utf8')).toContain('PostgreSQL 18')
    const again = await openPglite({ folder, log })
    expect(await query(again, 'select * from kept')).toEqual([['1']])
    await again.close()
  })

  test('when Postgres itself dies the running statement fails and the next one finds all that was kept', { timeout: 30_000 }, async () => {
    const logged: string[] = []
    const store = await openPglite({ folder, log: (message) => void logged.push(message), template: await emptyTemplate() })
    try {
      await query(store, 'create table kept as select 1 as one')
      const dying = expect(query(store, '/* past the check for it */ copy kept from stdin')).rejects.toThrow('PGlite stopped')
      const next = query(store, 'select * from kept')
      await dying
      expect(await next).toEqual([['1']])
      expect(logged).toEqual([])
    } finally {
      await store.close()
    }
  })

  test('a store of another Postgres is refused with both versions', async () => {
    await mkdir(join(folder, 'data'))
    await writeFile(join(folder, 'data', 'PG_VERSION'), '17\n')
    await writeFile(join(folder, 'version.txt'), 'PostgreSQL 17.5 (PGlite 0.3.0)\n')
    for (let i = 0; i < 2; i++) {
      await expect(openPglite({ folder, log })).rejects.toThrow(
        /Postgres 17 \(PostgreSQL 17\.5 \(PGlite 0\.3\.0\)\) and this is Postgres 18/,
      )
    }
  })

  test('tables are analyzed and vacuumed and the log is checkpointed without background processes', { timeout: 30_000 }, async () => {
    const store = await openPglite({ folder, log, template: await emptyTemplate() })
    try {
      await query(store, 'create table busy (n int, body text storage external)')
      await query(store, `insert into busy select n, repeat(md5(n::text), 100) from generate_series(1, 20000) n`)
      await query(store, `update busy set body = body || '.'`)
      const logged = 'select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 > 64 * 1024 * 1024 from pg_control_checkpoint()'
      await query(store, 'select pg_stat_force_next_flush()')
      expect(await query(store, logged)).toEqual([['t']])
      await keepUp(store)
      expect(await query(store, logged)).toEqual([['f']])
      expect(await query(store, `select reltuples from pg_class where relname = 'busy'`)).toEqual([['20000']])
      expect(await query(store, `select vacuum_count, analyze_count from pg_stat_user_tables where relname = 'busy'`)).toEqual([['1', '1']])
    } finally {
      await store.close()
    }
  })
})
