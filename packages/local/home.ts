import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { takeLock } from './lock.ts'

export interface Home {
  /** Absolute. */
  path: string
  /** The embedded store's folder; made by whoever opens it. */
  store: string
  /**
   * A secret of this home: 32 random bytes as base64url, made the first time its name is asked for and kept in a file
   * that only the owner may read. `make` gives another value to begin with.
   */
  secret(name: string, make?: () => string): string
  /** Whether a secret of that name was made before. */
  has(name: string): boolean
  /** Lets another process have the home. */
  close(): void
}

/**
 * The folder where everything is kept, made with mode 700. Throws `LockedError`, which names the process, when
 * another one has it; a lock whose process died is no lock.
 */
export function openHome(folder: string): Home {
  const path = resolve(folder)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const close = takeLock(join(path, 'lock'))
  const read = (name: string): string | null => {
    try {
      return readFileSync(join(path, name), 'utf8').trim()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }
  return {
    path,
    store: join(path, 'store'),
    has: (name) => read(name) !== null,
    secret(name, make = () => randomBytes(32).toString('base64url')) {
      return read(name) ?? write(join(path, name), make())
    },
    close,
  }
}

/** Written beside its place and renamed, so that a process killed meanwhile leaves no half of a secret. */
function write(file: string, value: string): string {
  writeFileSync(`${file}.new`, `${value}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return value
}
