import type { Caller } from '@twofold/operation/caller.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { introduce } from '../keys/introduce.ts'
import { Name, Namespace, NamespacePrefix } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { queryTerms } from '../text/words.ts'
import { onePlace } from './fields.ts'
import { layOut } from './lay-out.ts'
import { aboutNamed } from './prompt.sql.ts'
import { placeGranted, placeNamed, recall } from './recall.ts'
import type { InSession } from './remember.ts'
import { SearchQuery, SearchResult } from './search.ts'

export const PromptQuery = z
  .strictObject({
    query: z.string().min(1).max(10_000),
    namespace: Namespace.optional(),
    namespacePrefix: NamespacePrefix.optional(),
    userId: Name.optional(),
    maxTokens: z.int().min(1).max(32_000).default(1000).meta({ description: 'Tokens of the text at most, as GPT-2 cuts them.' }),
    maxStalenessMs,
  })
  .superRefine(onePlace)
export type PromptQuery = z.infer<typeof PromptQuery>

export const PromptContext = z.object({
  text: z.string().meta({ description: 'For a prompt: a line for each memory, with its id in brackets to cite.' }),
  memoryIds: z.array(z.string()).meta({ description: 'Whose lines these are, in their order.' }),
  tokens: z.number(),
  cut: z.boolean().meta({ description: 'True when something was found that did not fit, or not as a whole.' }),
  freshness: SearchResult.shape.freshness,
  degraded: SearchResult.shape.degraded,
})
export type PromptContext = z.infer<typeof PromptContext>

/** Entities lie between memories: two edges lead from one to another. */
const EXPANDED_HOPS = 2
/** The least that a line costs, its id and its date: more lines than this never fit. */
const TOKENS_A_LINE = 30

/**
 * What is known about a question, ready for a prompt: the memories that a search finds and what the graph connects to
 * them, open commitments and decisions about the entities that the question names. Never more than `maxTokens`; the same
 * rows give the same text. Refuses and degrades as `recall` does.
 */
export async function promptContext(
  deps: Deps,
  caller: Caller,
  { maxTokens, ...query }: PromptQuery,
  options?: InSession,
): Promise<PromptContext> {
  const named = placeNamed(query)
  const place = named ?? placeGranted((await introduce(deps, caller, null)).grants)
  const most = Math.min(100, Math.max(10, Math.ceil(maxTokens / TOKENS_A_LINE)))
  const now = deps.now()
  const expand = deps.settings.graphEnabled ? { hops: EXPANDED_HOPS } : undefined
  const [found, { rows }] = await Promise.all([
    recall(deps, caller, SearchQuery.parse({ ...query, limit: most, expand }), options),
    deps.db.asCaller(caller, place.ranges, [aboutNamed({ ...place, terms: queryTerms(query.query), most }, now.toISOString())]),
  ])
  const ranked = [...found.results].sort((a, b) => b.score - a.score).map(({ memory }) => memory)
  const about = rows[0].map(({ memory }) => memory)
  return { ...layOut(ranked, about, maxTokens, now.toISOString()), freshness: found.freshness, degraded: found.degraded }
}
