import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PORTS, type Port } from '@twofold/functions/needs.ts'
import { operations } from '@twofold/functions/operations.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundles, entries } from './bundle.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const MB = 1_000_000

/** Most bytes of a function, source map apart, by the largest thing that it needs. */
const BUDGETS = { nothing: 1 * MB, graph: 2 * MB, model: 3 * MB }
const MODELS: readonly Port[] = ['embedder', 'extractor', 'language']

/** What is on a machine of one's own and in no function of the cloud. */
const NOWHERE = [
  /^packages\/(local|servers|bench)\//,
  /^packages\/models\/(embed\/minilm|extract\/(embedded|worker|words|classify|find|relate|labelled))/,
  /node_modules\/(@electric-sql|@lat\.md|wink-|compromise|onnxruntime|@huggingface|@xenova|prom-client)/,
  /\.(test|fixture)\.ts$|\/fixture\.ts$/,
]

/** What only those hold that need it, by what they declare. */
const ONLY_WITH: readonly [RegExp, (needs: readonly string[]) => boolean][] = [
  [/node_modules\/neo4j-driver/, (needs) => needs.includes('graph')],
  [/^packages\/graph\//, (needs) => needs.includes('graph')],
  [/node_modules\/(ai|@ai-sdk)\//, (needs) => MODELS.some((name) => needs.includes(name))],
]

/** What is loaded by the first event that needs it, or while a function that has it is started. The zod of others is the one of the SDK. */
const LATER = [/node_modules\/(@ai-sdk|zod|@upstash|neo4j-driver-\w+)\//]
/** The protocol's own SDK stands on the zod of others. */
const MCP = 'functions/mcp.ts'

/** What counts tokens is as large as all the rest. */
const TOKENIZER = /node_modules\/gpt-tokenizer\//
const COUNTS_TOKENS = ['functions/conversations/context.ts', MCP, 'functions/memories/context.ts']

interface Entry {
  file: string
  needs: readonly string[]
}

const isOperation = (value: unknown): value is AnyOperation<never> =>
  typeof value === 'object' && value !== null && 'path' in value && 'handle' in value

/** What a file says that it needs, in whichever way it declares it. */
async function entryOf(file: string): Promise<Entry> {
  const module: Record<string, any> = await import(join(root, file))
  const declared = Object.values(module).find(isOperation) ?? schedules.find(({ handler }) => handler === module.handler)?.declared
  return { file, needs: (declared?.needs ?? module.needs).map(({ name }: { name: string }) => name) }
}

const budgetOf = ({ needs }: Entry): number =>
  MODELS.some((name) => needs.includes(name)) ? BUDGETS.model : needs.includes('graph') ? BUDGETS.graph : BUDGETS.nothing

let made: [Entry, Bundle][]
beforeAll(async () => {
  made = await Promise.all((await bundles(entries())).map(async (each): Promise<[Entry, Bundle]> => [await entryOf(each.entry), each]))
})

/** What a bundle is made of, largest first, for whoever has to make it smaller. */
function largest({ inputs }: Bundle): string {
  const sums = new Map<string, number>()
  for (const [file, bytes] of inputs) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(file)?.[1] ?? file.split('/').slice(0, 2).join('/')
    sums.set(name, (sums.get(name) ?? 0) + bytes)
  }
  const sorted = [...sums].sort(([, a], [, b]) => b - a).slice(0, 8)
  return sorted.map(([name, bytes]) => `${name} ${Math.round(bytes / 1000)} kB`).join(', ')
}

/** The entries that break a rule, each as one line. */
const wrong = (rule: (entry: Entry, bundle: Bundle) => string[]): string[] =>
  made.flatMap(([entry, each]) => rule(entry, each).map((what) => `${entry.file} ${what}`))

describe('the bundles of all functions', () => {
  test('are of every operation, every schedule, both queues, MCP, the script of the docs and whatever else is asked', () => {
    const files = made.map(([{ file }]) => file)
    const inFolder = (folder: string) => files.filter((file) => file.startsWith(`functions/${folder}/`))
    expect(inFolder('schedules')).toHaveLength(schedules.length)
    expect(inFolder('queues')).toEqual(['functions/queues/graph-writes.ts', 'functions/queues/ingest.ts'])
    expect(files).toEqual(expect.arrayContaining([MCP, 'functions/else.ts', 'functions/system/reference.ts']))
    expect(files).toHaveLength(operations.length + schedules.length + 5)
  })

  test('keep to the budget of what they need', () => {
    const over = wrong((entry, each) =>
      each.bytes > budgetOf(entry) ? [`has ${each.bytes} bytes of ${budgetOf(entry)}: ${largest(each)}`] : [],
    )
    expect(over).toEqual([])
  })

  test('hold nothing of a machine of one’s own: no embedded database, no embedded model', () => {
    const held = wrong((_, { inputs }) => [...inputs.keys()].filter((file) => NOWHERE.some((place) => place.test(file))))
    expect(held).toEqual([])
  })

  test('hold a driver only where it is needed', () => {
    const held = wrong(({ needs }, { inputs }) =>
      ONLY_WITH.filter(([what, may]) => !may(needs) && [...inputs.keys()].some((file) => what.test(file))).map(
        ([what]) => `holds ${what.source}`,
      ),
    )
    expect(held).toEqual([])
  })

  test('hold what their needs stand on', () => {
    const lacking = wrong(({ needs }, { inputs }) =>
      PORTS.filter((port) => needs.includes(port) && !inputs.has(`functions/parts/${port}.ts`)).map((port) => `lacks ${port}`),
    )
    expect(lacking).toEqual([])
  })

  test('start without what not every event needs: a model of a provider, the cache, a driver of the graph', () => {
    const started = wrong((_, { startedWith, entry }) =>
      [...startedWith.keys()].filter((file) => LATER.some((place) => place.test(file)) && !(entry === MCP && /\/zod\//.test(file))),
    )
    expect(started).toEqual([])
  })

  test('take a byte a character: a sign outside ASCII makes Node hold and read the whole as two', () => {
    // The bundler escapes such signs in strings, not in patterns, where the source has to: \u2019 for ’.
    const wide = wrong((_, { source }) => [...source.matchAll(/[^\p{ASCII}].{0,20}/gu)].map(([sign]) => `holds ${sign}`))
    expect(wide).toEqual([])
  })

  test('count tokens only where a context is laid out', () => {
    const counting = made.filter(([, { inputs }]) => [...inputs].some(([file, bytes]) => bytes > 0 && TOKENIZER.test(file)))
    expect(counting.map(([{ file }]) => file)).toEqual(COUNTS_TOKENS)
  })

  test('import nothing when they are loaded but what Node has', () => {
    const outside = wrong((_, { metafile, entry }) =>
      Object.values(metafile.outputs)
        .filter(({ entryPoint }) => entryPoint === entry)
        .flatMap(({ imports }) => imports.filter(({ path, external }) => external && !isBuiltin(path)).map(({ path }) => path)),
    )
    expect(outside).toEqual([])
  })
})
