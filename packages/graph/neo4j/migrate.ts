import { retry } from '@twofold/resilience/retry.ts'
import neo4j, { type Driver, Neo4jError } from 'neo4j-driver-lite'
import { isTransient } from './judge.ts'
import { MIGRATIONS, type Migration, RECORDS } from './migrations.cypher.ts'

const int = neo4j.int

/**
 * Brings constraints and indexes up to date; harmless when nothing is to be done and when several processes do it at
 * once, because every statement is. Returns the numbers of what this call ran.
 */
export async function migrate(driver: Driver, database: string, migrations: readonly Migration[] = MIGRATIONS): Promise<number[]> {
  const session = driver.session({ database })
  const run = (text: string, parameters = {}) =>
    retry(
      { attempts: 5, delayMs: 100 },
      { again: mayPass, onRetry: () => undefined },
      async () => (await session.run(text, parameters)).records,
    )
  try {
    const [done] = await run(RECORDS.read, { numbers: migrations.map(({ number }) => int(number)) })
    const missing = migrations.filter(({ number }) => !done?.get('numbers').includes(number))
    if (missing.length === 0) return []
    await run(RECORDS.unique)
    for (const { number, name, statements } of missing) {
      for (const statement of statements) await run(statement)
      await run(RECORDS.await)
      await run(RECORDS.write, { number: int(number), name })
    }
    return missing.map(({ number }) => number)
  } finally {
    await session.close()
  }
}

/** Two that make the same at the same moment can get in each other's way in spite of `if not exists`. */
const mayPass = (error: unknown): boolean =>
  isTransient(error) || (error instanceof Neo4jError && /^Neo\.ClientError\.Schema\..*AlreadyExists$/.test(error.code))
