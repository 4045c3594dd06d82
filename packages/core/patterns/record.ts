import { createHash } from 'node:crypto'
import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { z } from 'zod-own'
import { normalize } from '../entities/mentions.ts'
import { type AnswerRow, selectAnswers } from '../memories/answer.ts'
import { detailsOf } from '../memories/details.ts'
import { redraft } from '../memories/draft.ts'
import { makesMemory } from '../memories/fields.ts'
import { type Changes, pattern, RememberKind } from '../memories/input.ts'
import type { Memory, Remembered } from '../memories/memory.ts'
import { readable } from '../memories/read.ts'
import type { InSession, Written } from '../memories/remember.ts'
import { rememberKind } from '../memories/remember-kind.ts'
import { revise } from '../memories/update.ts'
import { exactly, placeOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

export const PatternInput = RememberKind.extend(pattern).superRefine(makesMemory).meta({ id: 'PatternInput' })
export type PatternInput = z.infer<typeof PatternInput>

/**
 * Remembers what happens again and again. A pattern of this name that is known in the namespace is not made twice: it has
 * happened so many times more, and takes over what else is said of it, as its next version. The name is then the
 * memory's key, which is how of several who record it at once one makes it and the others are counted; a request that
 * names a key or an id of its own makes a memory of its own. Refuses what `remember` refuses.
 */
export async function recordPattern(
  deps: Deps,
  caller: Caller,
  input: PatternInput,
  options: InSession = {},
): Promise<Written<Remembered>> {
  const key = keyOf(input.name)
  const make = () => {
    const { name, description, confidence = null, occurrences = 1, ...rest } = input
    const own = input.key === undefined && input.id === undefined ? { key } : {}
    return rememberKind(deps, caller, 'pattern', { name, description, confidence, occurrences }, { ...rest, ...own }, options)
  }
  if (input.key !== undefined || input.id !== undefined) return make()
  const namespace = placeOf(input) as string
  for (;;) {
    if (await isKnown(deps, caller, namespace, key)) {
      try {
        return await countAgain(deps, caller, input, selectKnown(deps, namespace, key), options)
      } catch (error) {
        // Deleted, or renamed by its key, in the meantime.
        if (!(error instanceof Refusal && error.code === 'not_found')) throw error
      }
    }
    try {
      return await make()
    } catch (error) {
      const twin = error instanceof Refusal && error.code === 'conflict' && (await isKnown(deps, caller, namespace, key))
      if (!twin) throw error
    }
  }
}

/** `pattern:daily_standup`: patterns whose names are spellings of one name are one. */
function keyOf(name: string): string {
  const readable = normalize(name).replaceAll('/', '_')
  const short =
    readable.length <= 200
      ? readable
      : `${[...readable].slice(0, 100).join('')}_${createHash('sha256').update(readable).digest('hex').slice(0, 32)}`
  return `pattern:${short}`
}

const selectKnown = (deps: Deps, namespace: string, key: string): Statement<AnswerRow> =>
  selectAnswers(sql`m.namespace = ${namespace} and m.key = ${key} and m.kind = 'pattern' and ${readable(deps.now().toISOString())}`)

async function isKnown(deps: Deps, caller: Caller, namespace: string, key: string): Promise<boolean> {
  const { rows } = await deps.db.asCaller(caller, exactly(namespace), [selectKnown(deps, namespace, key)])
  return rows[0].length > 0
}

function countAgain(
  deps: Deps,
  caller: Caller,
  input: PatternInput,
  known: Statement<AnswerRow>,
  { session }: InSession,
): Promise<Written<Remembered>> {
  const { name, description, confidence, occurrences = 1, waitFor, onGraphFailure, ...said } = input
  return revise(deps, caller, known, {
    action: 'patterns.record',
    waits: waitFor === 'graph' || onGraphFailure === 'rollback',
    session,
    next(memory, at) {
      const before = detailsOf(memory, 'pattern') ?? {}
      const seen = Math.min((before.occurrences ?? 1) + occurrences, MOST)
      const after = {
        ...before,
        // One that is known keeps its first spelling.
        name: before.name ?? name,
        description,
        confidence: confidence === undefined ? before.confidence : confidence,
        occurrences: seen,
      }
      return redraft(deps, memory, { ...said, ...mentionsWith(memory, input) }, at, after)
    },
  })
}

/** What is named now besides what was before, as far as the words it came from stay. */
function mentionsWith(memory: Memory, { description, about = [], entities = [], relations, extractEntities }: PatternInput): Changes {
  const named = [...about.map((entity) => ({ ...entity, about: true })), ...entities]
  if (named.length === 0) return {}
  const same = memory.description === description
  return {
    entities: [...named, ...memory.entities.filter((entity) => same || entity.about)],
    relations: relations ?? (same ? memory.relations : []),
    extractEntities: extractEntities ?? !same,
  }
}

/** What an integer holds. */
const MOST = 2_147_483_647
