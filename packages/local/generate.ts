import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { document } from '@twofold/functions/document.ts'
import { migrate } from '@twofold/postgres/migrate.ts'
import { dumpSchema } from '@twofold/postgres/schema.ts'
import { openWire } from './wire.ts'

/** Files that are derived from the code and committed for people to read: `--check` fails when one is stale. */
const FILES: Record<string, () => Promise<string>> = {
  'packages/postgres/schema.sql': schema,
  'openapi.json': async () => `${JSON.stringify(document(), null, 2)}\n`,
}

async function schema(): Promise<string> {
  const wire = await openWire({ folder: null, redisBytes: 1024, queues: {}, secret: 'generate', log: console.error })
  try {
    await migrate({ ownerUrl: wire.database.url, fetchEndpoint: wire.database.fetchEndpoint })
    return await dumpSchema(wire.database)
  } finally {
    await wire.close()
  }
}

const check = process.argv.includes('--check')
let stale = 0
for (const [name, make] of Object.entries(FILES)) {
  const path = fileURLToPath(new URL(`../../${name}`, import.meta.url))
  const made = await make()
  if ((await readFile(path, 'utf8').catch(() => null)) === made) continue
  if (check) {
    stale++
    process.stderr.write(`${name} is stale: run npm run generate\n`)
  } else {
    await writeFile(path, made)
    process.stdout.write(`${name} written\n`)
  }
}
process.exit(stale > 0 ? 1 : 0)
