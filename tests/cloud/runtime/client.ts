import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '@twofold/servers/detached.ts'
import { provisioned } from '@twofold/servers/provisioned.ts'
import { cacheOf } from '@twofold/servers/servers.ts'
import { build } from 'esbuild'

/** What the managed runtime runs itself. */
const VERSION = '4.0.2'

export interface RuntimeClient {
  /** The program that loads a handler and asks the Runtime API for events. */
  program: string
  remove(): Promise<void>
}

/**
 * AWS's own runtime client, from npm, unpacked and not installed: its installation compiles an addon for three HTTP calls.
 * These are made by `rapid.ts`, in the place where the addon would be.
 */
export async function openClient(): Promise<RuntimeClient> {
  const unpacked = await provisioned(cacheOf(process.env), `aws-lambda-ric-${VERSION}`, async (folder) => {
    await run({ command: 'npm', args: ['pack', '--silent', `aws-lambda-ric@${VERSION}`], cwd: folder })
    await run({ command: 'tar', args: ['-xzf', `aws-lambda-ric-${VERSION}.tgz`], cwd: folder })
  })
  const folder = await mkdtemp(join(tmpdir(), 'twofold-runtime-'))
  const program = join(folder, 'index.mjs')
  await copyFile(join(unpacked, 'package', 'index.mjs'), program)
  // Node takes a folder of that name for the addon.
  const addon = join(folder, 'rapid-client.node')
  await mkdir(addon)
  await writeFile(join(addon, 'package.json'), '{ "main": "index.cjs" }')
  const entryPoints = [fileURLToPath(new URL('rapid.ts', import.meta.url))]
  await build({ entryPoints, outfile: join(addon, 'index.cjs'), bundle: true, platform: 'node', format: 'cjs', target: 'node24' })
  return { program, remove: () => rm(folder, { recursive: true }) }
}
