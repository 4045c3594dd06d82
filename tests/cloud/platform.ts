import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Brings what `sst.config.ts` stands on: SST's components and the providers' packages, all from npm, into `.sst`. Done once for
 * each version of SST. No account is asked for.
 */

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Written when everything else is there. */
const done = join(root, '.sst/provider-lock.json')

/** Of the platform that is there whole; null: there is none. */
const versionOf = () => (existsSync(done) ? readFileSync(join(root, '.sst/platform/version'), 'utf8').trim() : null)

const wanted: string = JSON.parse(readFileSync(join(root, 'node_modules/sst/package.json'), 'utf8')).version
if (versionOf() !== wanted) {
  rmSync(done, { force: true })
  const settings = { SST_SKIP_DEPENDENCY_CHECK: '1', SST_NO_BUN: '1', SST_TELEMETRY_DISABLED: '1' }
  const { status } = spawnSync(join(root, 'node_modules/.bin/sst'), ['install', '--stage', 'check'], {
    cwd: root,
    env: { ...process.env, ...settings },
    stdio: 'inherit',
  })
  if (status !== 0 || versionOf() !== wanted) throw new Error(`SST ${wanted} could not bring its platform`)
}
