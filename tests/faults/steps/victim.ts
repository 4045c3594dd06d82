import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { mcpEndpoint } from '@twofold/functions/mcp.ts'
import { operations } from '@twofold/functions/operations.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { serve } from '@twofold/operation/http.ts'
import { type Stepping, stepped } from './stepped.ts'

// A process of the service that does one thing after the other, and may not live to the end of them.

/** What it does: a request of a caller, a batch of the queue, or one round of a schedule. */
export type Act =
  | { request: { method: string; path: string; body?: unknown; headers: Record<string, string> } }
  | { queue: { tenant: string; ids: readonly string[] } }
  | { schedule: string }

export interface Job extends Stepping {
  act: Act
}

/** The methods of the ports that change something. */
const METHODS = (process.env.METHODS as string).split(' ')

export interface Done {
  /** The places that it came by. */
  passed: string[]
  status: number
  text: string
}

/** What the queue does with a message that fails. */
const TRIED_AGAIN = 503

const clock = process.env.CLOCK as string
const composed = await compose(readEnv(), { now: () => new Date(Date.now() + Number(readFileSync(clock, 'utf8'))) })
const app = serve(operations, composed.surroundings, { '/mcp': mcpEndpoint(composed.surroundings) })

async function act(doing: Act): Promise<Omit<Done, 'passed'>> {
  if ('request' in doing) {
    const { method, path, body, headers } = doing.request
    const response = await app.request(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    return { status: response.status, text: await response.text() }
  }
  if ('queue' in doing) {
    const record = { messageId: '1', body: JSON.stringify(doing.queue) }
    const { batchItemFailures } = await graphWrites(composed.deps)({ Records: [record] } as Parameters<ReturnType<typeof graphWrites>>[0])
    return { status: batchItemFailures.length === 0 ? 200 : TRIED_AGAIN, text: JSON.stringify(batchItemFailures) }
  }
  const schedule = schedules.find(({ declared }) => declared.name === doing.schedule)
  return { status: 200, text: JSON.stringify((await schedule?.(composed.deps)()) ?? null) }
}

const begin = stepped(composed.deps, METHODS)
process.on('message', async (job: Job) => {
  const passed = begin(job)
  const done: Done = { passed, ...(await act(job.act)) }
  process.send?.(done)
})
process.once('disconnect', () => process.exit())
flushCompileCache()
process.send?.('ready')
