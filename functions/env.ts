import { Resource } from 'sst/resource'
import { probableTypos } from './typos.ts'
import { DEPLOYMENT, linkOf, NAMES, type Name, type Need, SECRETS, VARIABLES, type Variable } from './variables.ts'

export { INTERVALS } from './variables.ts'

/** The only reader of the environment and of SST's links. Every variable is checked at start; a bad one is named with what it was and what is allowed. */

type Variables = Record<string, string | undefined>
type Table = Record<string, Variable>
type Read<T extends Table> = { [N in keyof T]: T[N] extends Variable<infer V> ? V : never }
export type Env = Read<typeof VARIABLES>

/** What a function is linked to, by name, as SST hands it over. */
export type Links = Record<string, { value?: unknown } | undefined>

export interface Reader {
  /** Without them those of this process, when the variables are its own. */
  links?: Links
  /** What whoever reads needs; without it, all there is. */
  needs?: readonly Need[]
  /** Whether this is for functions in the cloud. Without it, whether this process is one. */
  deployed?: boolean
}

/** Whether this process is a function in the cloud. */
export const inLambda = (variables: Variables = process.env): boolean => Boolean(variables.AWS_LAMBDA_FUNCTION_NAME)

/** Reads and checks the variables, and where one is not set the link that says it; throws one error with a line for each bad one. */
export function readEnv(variables: Variables = process.env, reader: Reader = {}): Env {
  const { links = variables === process.env ? linked() : {}, needs, deployed = inLambda(variables) } = reader
  const told: Variables = { ...fromLinks(links), ...set(variables) }
  const [env, bad] = read(VARIABLES, told, variables)
  return sound(env, [...bad, ...together(told, deployed, needs ? (need) => needs.includes(need) : all)], probableTypos(variables, links))
}

export interface Stage {
  /** What its functions will read, as far as whoever deploys says it. */
  env: Env
  /** The settings among that, as they were said; what was not said is left out. */
  settings: Record<string, string>
  deployment: Read<typeof DEPLOYMENT>
  /** What was probably meant otherwise; it stops nothing. */
  typos: string[]
}

/**
 * What the stage that is being deployed is told: settings by the variables, secrets as SST hands them to its config. Throws
 * one error with a line for each that its functions could not use, before anything is made.
 */
export function readStage(variables: Variables = process.env): Stage {
  const given = set(variables)
  const named = NAMES.filter((name) => VARIABLES[name].kind === 'setting' && given[name] !== undefined)
  const settings = Object.fromEntries(named.map((name) => [name, given[name] as string]))
  const secrets = Object.fromEntries(SECRETS.map((name) => [name, variables[`SST_SECRET_${linkOf(name)}`]]))
  const told = { ...settings, ...secrets }
  const [env, bad] = read(VARIABLES, set(told), told)
  const [deployment, alsoBad] = read(DEPLOYMENT, given, variables)
  const typos = probableTypos(variables)
  const called = (name: string) => (SECRETS.includes(name as Name) ? `${name} (the secret ${linkOf(name as Name)})` : name)
  const both = env && deployment && { env, deployment }
  return { ...sound(both, [...bad, ...together(set(told), true, all), ...alsoBad], typos, called), settings, typos }
}

/** What a process or a stage needs as a whole; only the one function that takes events knows where from. */
const all = (need: Need): boolean => need !== 'ingest'

/** What this process was given that was probably meant otherwise; it stops nothing. */
export const misspelt = (): string[] => probableTypos(process.env, linked())

/** What is wrong with one variable: what it was, and what is allowed. */
interface Bad {
  name: string
  was: string
  allowed: string
  /** Wrong only together with this one, which is said first where it is wrong itself. */
  since?: Name
}

/** Of each variable what was found first. */
function sound<T>(value: T | null, bad: readonly Bad[], typos: readonly string[], called = (name: string) => name): T {
  if (value !== null && bad.length === 0) return value
  const firsts = bad.filter(({ name, since }, i) => bad.findIndex((each) => each.name === name || each.name === since) >= i)
  const lines = [...firsts.map(({ name, was, allowed }) => `${called(name)} ${was}; allowed is ${allowed}.`), ...typos]
  throw new Error(`The configuration cannot be used:\n${lines.map((line) => `  ${line}`).join('\n')}`)
}

/** Empty counts as not set. */
const set = (variables: Variables): Variables => Object.fromEntries(Object.entries(variables).filter(([, value]) => value))

const fromLinks = (links: Links): Variables =>
  Object.fromEntries(
    SECRETS.flatMap((name) => {
      const value = links[linkOf(name)]?.value
      return typeof value === 'string' && value !== '' ? [[name, value]] : []
    }),
  )

function linked(): Links {
  try {
    return { ...(Resource as unknown as Links) }
  } catch (error) {
    throw new Error(
      'The links of this function cannot be read: SST_KEY or the file that SST_KEY_FILE names is not what it was deployed with.',
      {
        cause: error,
      },
    )
  }
}

function read<T extends Table>(table: T, told: Variables, raw: Variables): [Read<T> | null, Bad[]] {
  const good: Record<string, unknown> = {}
  const bad: Bad[] = []
  for (const [name, { value, kind }] of Object.entries(table)) {
    const text = told[name]
    const known = text === undefined ? value.unset : { value: value.read(text) }
    if (known && (text === undefined || known.value !== undefined)) good[name] = known.value
    else bad.push({ name, was: was(name, text ?? raw[name], kind === 'secret'), allowed: value.allowed })
  }
  return [bad.length === 0 ? (good as Read<T>) : null, bad]
}

/** A secret's value is never told, nor a URL's, which may hold one. */
function was(name: string, value: string | undefined, secret: boolean): string {
  if (value === undefined) return 'is not set'
  if (value === '') return 'is empty'
  return secret || name.includes('URL') ? 'is set to something else' : `is "${value}"`
}

/** The providers of models that the functions' bundles hold. */
const BUNDLED = /^(openai|openai-compatible|amazon-bedrock):/

/** What only shows in several variables together. */
function together(told: Variables, deployed: boolean, needs: (need: Need) => boolean): Bad[] {
  const needed = (name: Name, since: Name, why = `${since} is set`): Bad[] =>
    told[name] ? [] : [{ name, was: 'is not set', allowed: `a value, since ${why}`, since }]
  const pair = (name: Name, other: Name) => (told[other] ? needed(name, other) : [])
  const ofModel = (name: 'EMBEDDING_MODEL' | 'LANGUAGE_MODEL', called: boolean): Bad[] => {
    const model = told[name] ?? 'embedded'
    if (deployed && !BUNDLED.test(model))
      return [
        {
          ...{ name, was: was(name, told[name], false) },
          allowed: 'openai:…, openai-compatible:… or amazon-bedrock:… in the cloud, where no other provider is',
        },
      ]
    if (called && model.startsWith('openai:')) return needed('OPENAI_API_KEY', name, `${name} is "${model}"`)
    return called && model.startsWith('openai-compatible:') ? needed('OPENAI_BASE_URL', name, `${name} is "${model}"`) : []
  }
  return [
    ...pair('UPSTASH_REDIS_REST_TOKEN', 'UPSTASH_REDIS_REST_URL'),
    ...pair('UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'),
    ...ofModel('EMBEDDING_MODEL', needs('embedder')),
    ...ofModel('LANGUAGE_MODEL', needs('extractor') || needs('language')),
    ...(deployed && needs('ingest') ? needed('INGEST_QUEUE_URL', 'AWS_LAMBDA_FUNCTION_NAME', 'it is that queue whose messages come') : []),
  ]
}
