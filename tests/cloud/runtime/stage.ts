import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OPERATOR } from '@twofold/functions/calls.fixture.ts'
import { type World, world } from '@twofold/functions/fixture.ts'
import { type Cutter, proxy } from '../../proxy.ts'
import { bundle } from '../bundle.ts'
import { openClient } from './client.ts'
import { type FunctionSettings, type LambdaFunction, lambdaFunction } from './function.ts'

export interface Stage {
  here: World
  /** Stands between the functions and Postgres. */
  database: Cutter
  /** The function of `functions/<file>`, bundled as it is deployed, over the stores of this stage. Closed with it. */
  open(file: string, settings?: Partial<FunctionSettings>): Promise<LambdaFunction>
  close(): Promise<void>
}

/** The stores of a test, and functions over them that are processes under AWS's own runtime client. */
export async function stage(): Promise<Stage> {
  const client = await openClient()
  const here = await world({ TWOFOLD_OPERATOR_KEY: OPERATOR, INGEST_QUEUE_URL: 'http://127.0.0.1:9/ingest', LOG_LEVEL: 'warn' })
  const database = await proxy(here.variables.DATABASE_HTTP_URL as string)
  const variables = { ...here.variables, DATABASE_HTTP_URL: database.url }
  const functions: LambdaFunction[] = []
  const folder = await mkdtemp(join(tmpdir(), 'twofold-functions-'))
  return {
    here,
    database,
    async open(file, settings = {}) {
      const its = { ...settings, variables: { ...variables, ...settings.variables } }
      const opened = lambdaFunction({ program: client.program, bundle: await bundle(`functions/${file}`, folder), ...its })
      functions.push(opened)
      return opened
    },
    async close() {
      await Promise.all(functions.map((each) => each.close()))
      await database.close()
      await here.close()
      await client.remove()
      await rm(folder, { recursive: true })
    },
  }
}
