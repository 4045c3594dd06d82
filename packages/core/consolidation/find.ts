import { subjectOf } from '../namespaces/namespace.ts'
import type { Deps, LanguageModel } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { ALIKE, type Candidate, type Group, grouped, sayTheSame, wordForWord } from './candidate.ts'
import { type NearRow, near, sameWords, vectorsOf } from './candidates.sql.ts'
import { outdated } from './outdated.ts'
import { validated } from './propose.ts'

export const STRATEGIES = ['exact', 'similar', 'model'] as const
export type Strategy = (typeof STRATEGIES)[number]

export interface Part {
  namespace: string
  /** Where the part before it ended. */
  after: string | null
}

export interface Found {
  groups: Group[]
  /** The versions that the groups rest on. */
  seen: Map<string, number>
  /** Where to go on; null when this was the last part. */
  next: string | null
}

/** Runs one statement for whoever asks: a caller, or a schedule. */
export type Read = <Row>(statement: Statement<Row>) => Promise<Row[]>

/** Groups of the same words in one part, and members of one of them that are looked at. */
const GROUPS = 100
const MEMBERS = 200

/** Finds what may be merged in one bounded part of a namespace. */
export interface Finding {
  deps: Pick<Deps, 'embedder' | 'log' | 'now'>
  read: Read
  part: Part
}

/** The same words. Groups beyond what one part holds come in the next one; of a larger group the rest comes in the next run. */
export async function findExact({ deps, read, part: { namespace, after } }: Finding): Promise<Found> {
  const rows = await read(sameWords(namespace, { after, groups: GROUPS, most: MEMBERS }, deps.now().toISOString()))
  const firsts = [...new Set(rows.map((row) => row.first))]
  const candidates = rows.map((row) => row.candidate)
  return { groups: wordForWord(candidates), seen: versions(candidates), next: firsts.length < GROUPS ? null : (firsts.at(-1) ?? null) }
}

/** Memories that one part looks at, and neighbours that it compares each with. */
const SEEDS = 100
const NEAREST = 20

/** Near-equal meaning: the vectors propose, the words decide. And what is outdated by what it says. */
export async function findSimilar({ deps, read, part }: Finding): Promise<Found> {
  const asked = { after: part.after, seeds: SEEDS, nearest: NEAREST, least: ALIKE, all: false }
  const { candidates, pairs, rivals, next } = await look({ deps, read, part }, asked)
  const changes = outdated(candidates, rivals)
  const gone = new Set(changes.flatMap(({ merged }) => merged))
  const similarity = new Map(
    pairs.flatMap(({ a, b, similarity }) => [[`${a} ${b}`, similarity] as const, [`${b} ${a}`, similarity] as const]),
  )
  const same = (a: Candidate, b: Candidate) => {
    const near = similarity.get(`${a.id} ${b.id}`)
    return near !== undefined && sayTheSame(a, b, near)
  }
  const rest = candidates.filter(({ id }) => !gone.has(id))
  const groups = [...changes, ...grouped(rest, 'similar', same, new Set(changes.map(({ kept }) => kept)))]
  return { groups, seen: versions(candidates), next }
}

/** Memories that a model is shown at once: so many in their order, and the nearest to each. */
const SHOWN = 20
const BESIDE = 3

/** What a model takes for the same or for outdated, as far as that can be true. Throws `ModelError`. */
export async function findByModel(finding: Finding, language: LanguageModel, signal: AbortSignal): Promise<Found> {
  const asked = { after: finding.part.after, seeds: SHOWN, nearest: BESIDE, least: 0, all: true }
  const { candidates, next } = await look(finding, asked)
  if (candidates.length < 2) return { groups: [], seen: new Map(), next }
  const shown = candidates.map((it, i) => ({ number: i + 1, text: it.text, speaker: it.speaker, at: it.at }))
  const proposals = await language.judge(shown, { signal })
  return { groups: validated(proposals, candidates, finding.deps.log), seen: versions(candidates), next }
}

/** Vectors of a subject that each memory is compared with one by one: the approximate index misses a few. */
const MOST_COMPARED = 2_000

async function look(
  { deps, read, part }: Finding,
  asked: { after: string | null; seeds: number; nearest: number; least: number; all: boolean },
): Promise<Pick<NearRow, 'candidates' | 'pairs' | 'rivals'> & { next: string | null }> {
  const { model, dimensions } = deps.embedder
  const subject = subjectOf(part.namespace)
  const [vectors] = await read(vectorsOf(subject, model, MOST_COMPARED + 1))
  const exact = (vectors?.n ?? 0) <= MOST_COMPARED
  const statement = near(part.namespace, subject, { ...asked, model, dimensions, exact }, deps.now().toISOString())
  const [row] = await read(statement)
  const { candidates = [], pairs = [], rivals = [], last = null, looked = 0 } = row ?? {}
  return { candidates, pairs, rivals, next: looked < asked.seeds ? null : last }
}

const versions = (candidates: readonly Candidate[]) => new Map(candidates.map(({ id, version }) => [id, version]))
