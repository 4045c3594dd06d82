import { sql } from '@twofold/core/sql.ts'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { serveApi } from './http/api.ts'
import type { ServiceOptions } from './keep.ts'

/** What only the process that keeps the stores can make use of. */
const KEEPERS = ['DATABASE_OWNER_URL', 'REDIS_URL'] as const

export interface Joined {
  url: string
  close(): Promise<void>
}

/**
 * The API alone, on stores that another process keeps: `DATABASE_HTTP_URL` and what else that one wrote into the file
 * `join` of its home. Opens no home, no store, no queue consumer and no schedules; those stay where they are.
 * Throws with one clear sentence when the stores do not answer, or do not know the key it was given.
 */
export async function joinService({ port, apiKey, variables }: Omit<ServiceOptions, 'home'>): Promise<Joined> {
  const kept = KEEPERS.find((name) => variables[name])
  if (kept) throw new Error(`${kept} cannot be given together with DATABASE_HTTP_URL: the process that keeps the stores reads it.`)
  const made = await compose(readEnv(variables))
  const { db, now } = made.deps
  try {
    if (!(await db.health()).available)
      throw new Error('DATABASE_HTTP_URL does not answer, or not to DATABASE_URL: is the service that keeps the stores running?')
    if (apiKey)
      await db.across([sql`select authorize(${hashKey(apiKey)}::bytea, null, null, null, ${now().toISOString()}::timestamptz, null, null)`])
    const serving = await serveApi(made, port)
    return {
      url: serving.url,
      async close() {
        await serving.close()
        await made.close()
      },
    }
  } catch (error) {
    await made.close()
    throw error
  }
}
