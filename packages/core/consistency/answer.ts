import * as z from 'zod-own'
import { Name, NamespacePrefix } from '../namespaces/namespace.ts'
import type { Difference } from './difference.ts'
import { Finding } from './finding.ts'
import type { RunRow } from './run.sql.ts'

export const SyncInput = z
  .strictObject({
    operation: z.enum(['check', 'repair', 'full', 'rebuild']).meta({
      description:
        'check looks only; repair also repairs what it finds; full repairs and looks again; rebuild makes the graph anew from Postgres: of a whole tenant beside the one that is read until both are equal, of a user or prefix in place.',
    }),
    userId: Name.optional(),
    namespacePrefix: NamespacePrefix.optional().meta({ description: 'Where to look; without it everywhere the key may see.' }),
    limit: z.int().min(1).max(1000).default(100).meta({ description: 'Inconsistencies listed; all are repaired.' }),
    dryRun: z.boolean().default(false).meta({ description: 'Changes nothing; each inconsistency says what repair would do.' }),
    deep: z.boolean().default(false).meta({ description: 'Make every digest anew, so that what was changed by hand is found too.' }),
    adopt: z.boolean().default(false).meta({
      description: 'Take entities and edges that somebody added to the graph by hand into Postgres, instead of removing them.',
    }),
    clearExisting: z
      .boolean()
      .default(true)
      .meta({ description: 'Of rebuild: false shows only what is missing and touches nothing else.' }),
  })
  .refine((input) => input.userId === undefined || input.namespacePrefix === undefined, 'must not name both userId and namespacePrefix')
export type SyncInput = z.infer<typeof SyncInput>

export const SyncAnswer = z.object({
  status: z.enum(['success', 'partial', 'running', 'failed', 'stopped']).meta({
    description:
      'running: it goes on by itself. partial: something could not be repaired, or is there again. failed: given up; `failure` says why.',
  }),
  operation: z.string(),
  runId: z.string(),
  done: z.boolean(),
  cursor: z.string().optional().meta({ description: 'Where it goes on.' }),
  failure: z.string().optional().meta({ description: 'What stopped it, for good or until it is tried again.' }),
  progress: z.object({
    phase: z.string().nullable(),
    done: z.number().meta({ description: 'Things of this phase that are done.' }),
    total: z.number(),
    rate: z.number().meta({ description: 'Things a second, since the phase began.' }),
    timeLeftMs: z.number().nullable().meta({ description: 'Of this phase, at this rate.' }),
    startedAt: z.string(),
    endedAt: z.string().nullable(),
  }),
  result: z.object({
    totalChecked: z.number().meta({ description: 'Memories compared, or shown anew.' }),
    inconsistencies: z.array(Finding),
    repaired: z.number(),
    failed: z.number(),
    owed: z.number().meta({ description: 'Things on their way to the graph, which are no inconsistency.' }),
    duration: z.number().meta({ description: 'Milliseconds.' }),
  }),
})
export type SyncAnswer = z.infer<typeof SyncAnswer>

/** A run as its followers see it; `found` by this process tells more than the run keeps. */
export function answerOf(run: RunRow, now: Date, found: readonly Difference[] = []): SyncAnswer {
  const { phase, cursor, done, total, ended_at, outcome, failure } = run
  const end = ended_at === null ? now.getTime() : Date.parse(ended_at)
  const seconds = Math.max(0.001, (end - Date.parse(run.phase_since)) / 1000)
  const rate = Math.round((done / seconds) * 10) / 10
  const left = ended_at !== null ? 0 : rate > 0 ? Math.round(((total - done) / rate) * 1000) : null
  const inconsistencies =
    run.listed.length <= found.length ? found.slice(0, run.listed.length).map((one) => shown(one, run.options.adopt)) : run.listed
  return {
    status: outcome ?? 'running',
    ...{ operation: run.operation, runId: run.id, done: ended_at !== null },
    ...(ended_at === null ? { cursor: `${phase ?? ''}:${cursor}` } : {}),
    ...(failure === null ? {} : { failure }),
    progress: { phase, done, total, rate, timeLeftMs: left, startedAt: run.started_at, endedAt: ended_at },
    result: {
      ...{ totalChecked: run.checked, inconsistencies, repaired: run.repaired, failed: run.failed, owed: run.owed },
      duration: end - Date.parse(run.started_at),
    },
  }
}

const shown = ({ kind, store, id, what, expected, found, remedy, made }: Difference, adopting: boolean): Finding => ({
  ...{ kind, store, id, what, expected, found },
  remedy: made && adopting ? 'adopt' : remedy,
})
