import type { Audit, Database, Log, Noted } from '../ports.ts'
import { sql } from '../sql.ts'

/** Brought to the database together: few enough that the embedded one, which does one thing at a time, holds up nobody. */
const MOST_AT_ONCE = 50
/** Kept while the database cannot be reached; then the oldest go. */
const MOST_KEPT = 10_000

/**
 * Keeps what is noted and brings it to the database in batches, off the requests: when there are 50, or `everyMs` after
 * the first of them. What it has not brought there yet is lost when the process is killed; what the database may have
 * taken without saying so is brought there again.
 */
export function auditKeeper({ db, log }: { db: Pick<Database, 'across'>; log: Log }, everyMs: number): Audit {
  let kept: Noted[] = []
  let lost = 0
  let away = false
  let timer: ReturnType<typeof setTimeout> | null = null
  let bringing: Promise<void> | null = null

  async function bring(): Promise<void> {
    while (kept.length > 0) {
      const batch = kept.splice(0, MOST_AT_ONCE)
      try {
        await db.across([sql`select note_audit(${JSON.stringify(batch)}::jsonb)`], { write: true })
        if (lost > 0) log.error('audit.lost', { entries: lost })
        lost = 0
        away = false
      } catch (error) {
        if (!away) log.error('audit.waits', { entries: kept.length + batch.length, error })
        away = true
        kept = [...batch, ...kept]
        lost += kept.splice(0, Math.max(0, kept.length - MOST_KEPT)).length
        later()
        return
      }
    }
  }

  function flush(): Promise<void> {
    if (timer) clearTimeout(timer)
    timer = null
    bringing ??= bring().finally(() => {
      bringing = null
    })
    return bringing
  }

  function later(): void {
    timer ??= setTimeout(flush, everyMs).unref()
  }

  return {
    note(entry) {
      kept.push(entry)
      if (kept.length > MOST_KEPT) {
        kept.shift()
        lost++
      }
      if (kept.length >= MOST_AT_ONCE && !away) void flush()
      else later()
    },
    flush,
  }
}
