import type { SqlBackend } from './backend.ts'

const EVERY_MS = 10_000

/** Postgres checkpoints by itself at 1 GB of write-ahead log; here a restart after a kill should not replay that much. */
const CHECKPOINT_AFTER_BYTES = 64 * 1024 * 1024

const LOG_SINCE_CHECKPOINT = `select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn) from pg_control_checkpoint()`

/**
 * Autovacuum's own thresholds, for what is dead and for what is new: only a vacuum lets an index answer alone, which
 * the search for words lives on (25 ms in place of 36 among 20,000 memories); 600,000 postings take 0.3 s. Tables under
 * an HNSW index are analyzed but never vacuumed: 5,000 vectors of 384 dimensions with a fifth of them dead took 9.7 s,
 * during which nobody is served.
 */
const TABLES_IN_NEED = `
  select format('%I.%I', s.schemaname, s.relname), v.due
  from pg_stat_user_tables s cross join lateral (
    select (s.n_dead_tup > 50 + 0.2 * s.n_live_tup or s.n_ins_since_vacuum > 1000 + 0.2 * s.n_live_tup) and not exists (
      select from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
      where i.indrelid = s.relid and a.amname in ('hnsw', 'ivfflat')) as due) v
  where v.due or s.n_mod_since_analyze > 50 + 0.1 * s.n_live_tup`

/**
 * PGlite is Postgres in single-user mode, which has no background processes: without this nothing is ever analyzed
 * or vacuumed, and the write-ahead log grows until the store is closed.
 */
export async function keepUp(backend: SqlBackend): Promise<void> {
  const run = async (query: string) => (await backend.single({ query, params: [] })).rows
  for (const [table, vacuum] of await run(TABLES_IN_NEED)) await run(vacuum === 't' ? `vacuum (analyze) ${table}` : `analyze ${table}`)
  const [[bytes] = ['0']] = await run(LOG_SINCE_CHECKPOINT)
  if (Number(bytes) > CHECKPOINT_AFTER_BYTES) await run('checkpoint')
}

/** Keeps up every ten seconds until the returned function is called, which waits for the running round. */
export function startUpkeep(backend: SqlBackend, log: (message: string) => void): () => Promise<void> {
  let running = Promise.resolve()
  const timer = setInterval(() => {
    running = running.then(() => keepUp(backend)).catch((error: Error) => log(`upkeep of the database failed: ${error.message}`))
  }, EVERY_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    return running
  }
}
