import { raw } from '@twofold/core/sql.ts'
import local from '@twofold/local/package.json' with { type: 'json' }
import { type Endpoint, sender } from '@twofold/postgres/endpoint.ts'

/** What the store is, as it says itself. */
export async function versions(database: Endpoint): Promise<{ pglite: string; postgres: string; pgvector: string }> {
  const [rows] = await sender(database)(
    [
      raw(
        `select current_setting('server_version') as postgres, (select extversion from pg_extension where extname = 'vector') as pgvector`,
      ),
    ],
    new AbortController().signal,
  )
  const [{ postgres, pgvector }] = rows as [{ postgres: string; pgvector: string }]
  return { pglite: local.dependencies['@electric-sql/pglite'], postgres, pgvector }
}
