import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** Somebody else holds the folder; `pid` is the process that took it. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly pid: number

  constructor(file: string, pid: number) {
    super(`${file} is held by the running process ${pid}; stop it first, or use another folder`)
    this.pid = pid
  }
}

/**
 * Takes `file` for this process until the returned function is called or the process dies, however it dies: the lock
 * is the kernel's (through SQLite, as Node itself has no file locks), so there is no stale pid to be mistaken for a
 * living one. The pid beside it is only for the message. Throws `LockedError`.
 */
export function takeLock(file: string): () => void {
  const pidFile = `${file}.pid`
  const lock = new DatabaseSync(file)
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (error) {
    lock.close()
    if ((error as { errcode?: number }).errcode !== 5) throw error
    throw new LockedError(file, existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0)
  }
  writeFileSync(pidFile, String(process.pid))
  return () => lock.close()
}
