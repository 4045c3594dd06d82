import { fileURLToPath } from 'node:url'
import { run } from '../../tests/process.ts'
import type { TestDatabase } from './sql/fixture.ts'

const COMMAND = fileURLToPath(new URL('migrate.ts', import.meta.url))

/** `npm run migrate` on this database, in a process of its own: how it ended, and what it said. */
export async function migrateOn(database: TestDatabase, args: readonly string[], variables: Record<string, string> = {}) {
  const told = {
    DATABASE_URL: database.url,
    DATABASE_HTTP_URL: database.fetchEndpoint,
    DATABASE_OWNER_URL: database.owner.url,
    EMBEDDING_MODEL: 'openai:text-embedding-3-small',
    OPENAI_API_KEY: 'none is asked',
    ...variables,
  }
  const { code, stdout: out, stderr: err } = await run(COMMAND, args, told).ended
  return { code, out, err }
}
