import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LockedError, takeLock } from '@twofold/local/lock.ts'

/** Runs `work` while no other process holds `file`, waiting for it as long as it takes. */
export async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    let release: () => void
    try {
      release = takeLock(file)
    } catch (error) {
      if (!(error instanceof LockedError)) throw error
      await sleep(100)
      continue
    }
    try {
      return await work()
    } finally {
      release()
    }
  }
}

/**
 * The folder `name` of the cache, which is whole or not there: `build` fills a folder of another name, renamed when it
 * is done. Of two processes one builds and the other waits; what an interrupted one left behind is removed.
 */
export async function provisioned(cache: string, name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const whole = join(cache, name)
  if (existsSync(whole)) return whole
  await mkdir(cache, { recursive: true })
  return locked(join(cache, `${name}.lock`), async () => {
    if (existsSync(whole)) return whole
    for (const left of await readdir(cache)) if (left.startsWith(`${name}.part-`)) await rm(join(cache, left), { recursive: true })
    const part = await mkdtemp(join(cache, `${name}.part-`))
    try {
      await build(part)
    } catch (error) {
      await rm(part, { recursive: true, force: true })
      throw error
    }
    await rename(part, whole)
    return whole
  })
}
