import { parseSync, Visitor } from 'oxc-parser'

/** What a room may import of the other rooms: `all`, or only types and the files named. */
type Allowed = Record<string, 'all' | readonly string[]>

/** Values that are part of the ports: the classes of failures, and what builds a statement. */
const PORTS: Allowed = { core: ['failures.ts', 'sql.ts', 'graph/digest.ts'], operation: ['refusal.ts', 'caller.ts'], resilience: 'all' }

/** What only the owner of a database does. */
const OWNERS = ['migrate.ts', 'ensure-model.ts', 'schema.ts']

const ROOMS: Record<string, Allowed> = {
  operation: {},
  core: { operation: 'all' },
  resilience: { core: [] },
  postgres: PORTS,
  graph: PORTS,
  cache: PORTS,
  models: { ...PORTS, core: ['failures.ts', 'entities/entity.ts'] },
  telemetry: PORTS,
  functions: { core: 'all', operation: 'all' },
  local: { functions: 'all', operation: 'all', core: 'all', resilience: 'all', postgres: OWNERS, graph: ['neo4j/graph.ts'] },
  bench: { local: 'all', functions: 'all', core: 'all', operation: 'all', postgres: 'all', graph: 'all', servers: 'all' },
  servers: { local: ['lock.ts'] },
  stacks: { functions: 'all', telemetry: ['table.ts'] },
}

/** The composition root sees every room but those that only development has: what is made everywhere, and the parts that some need. */
const ROOT_FILES = /^functions\/(assemble|container|deps|needs|parts\/\w+)\.ts$/
const OF_DEVELOPMENT = ['local', 'servers', 'bench']

/** Which packages speak to the world outside, and the only place for each. */
const DRIVERS: readonly [RegExp, RegExp][] = [
  [/^(@neondatabase\/|pg-types$)/, /^packages\/postgres\//],
  [/^neo4j-driver/, /^packages\/(graph\/neo4j|servers|bench)\//],
  [/^@upstash\//, /^packages\/cache\//],
  [/^prom-client$/, /^packages\/telemetry\//],
  [/^cockatiel$/, /^packages\/resilience\//],
  [/^(ai$|@ai-sdk\/|@lat\.md\/|wink-|compromise)/, /^packages\/models\//],
  [/^(pg|redis)$/, /^packages\/(local|servers)\//],
  [/^(@electric-sql\/.*|@hono\/node-server)$/, /^packages\/local\//],
  [/^@modelcontextprotocol\//, /^packages\/(operation\/mcp\.ts$|local\/)/],
  [/^hono(\/|$)/, /^packages\/(operation\/http\.ts$|local\/)/],
]

/** Operations hand over to a verb of core; only what nobody asked for finds its own work. */
const SQL_IN_FUNCTIONS = /^functions\/(assemble|schedules\/[^/]+)\.ts$/
const READS_ENVIRONMENT =
  /^(functions\/env|packages\/(local|bench)\/(start|demo|mcp|migrate|sync|run|generate)|packages\/servers\/[^/]+)\.ts$/
/** What is derived from the code and committed. */
const GENERATED = ['openapi.json']
/** Providers of models are packages that people add themselves. */
const LOADS_BY_NAME = 'packages/models/provider.ts'
/** By that name it is one value, so every bundle would hold all of it, messages in fifty languages included: 390 kB. */
const WHOLE_ZOD = 'imports { z } of zod, and not * as z'
/**
 * The SDK of models uses zod by that name. What is ours is a second copy: of one that both reach, functions would load all
 * as they start, not with the SDK.
 */
const SHARED_ZOD = 'imports the zod of others, and not zod-own'
const SAYS_NOTHING = /(^|[/.-])(utils?|helpers?|managers?|services?|common|misc)([/.-]|$)/
const LONGEST = 400

/** Tests, and what only tests import: they stand outside the arrows. */
export const isTest = (file: string): boolean => /(\.test|(^|[./])(fixture|contract))\.ts$|^tests\/|\/contract\//.test(file)

export const roomOf = (file: string): string =>
  file.startsWith('packages/') ? (file.split('/')[1] as string) : (file.split('/')[0] as string)

/** Every rule of the house that this file breaks, as sentences. `declared` are the dependencies in its room's package.json. */
export function broken(file: string, source: string, declared: ReadonlySet<string>): string[] {
  const room = roomOf(file)
  const rules = ROOMS[room]
  const found: string[] = []
  if (SAYS_NOTHING.test(file)) found.push('has a name that says nothing')
  if (isTest(file)) return found
  if (!rules) return [`stands in ${room}, which is no room of the house`]
  const lines = source.split('\n').length
  if (lines > LONGEST) found.push(`has ${lines} lines; the most is ${LONGEST}`)
  const parsed = parseSync(file, source)
  for (const imported of importsOf(parsed, source)) found.push(...wrongArrow(file, room, rules, imported, declared))
  return [...found, ...wrongWords(file, room, parsed.program)]
}

interface Import {
  from: string
  typeOnly: boolean
  /** Of what it exports, those that are named; `*` is not. */
  names: readonly string[]
}

function importsOf({ module }: ReturnType<typeof parseSync>, source: string): Import[] {
  return [
    ...module.staticImports.map(({ moduleRequest, entries }) => ({
      from: moduleRequest.value,
      typeOnly: entries.length > 0 && entries.every((entry) => entry.isType),
      names: entries.flatMap(({ importName: { name } }) => name ?? []),
    })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) => (moduleRequest ? [{ from: moduleRequest.value, typeOnly: isType, names: [] }] : [])),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
      from: literal(source.slice(start, end)),
      typeOnly: false,
      names: [],
    })),
  ]
}

/** The module that a dynamic import names, or `` for one that is computed. */
const literal = (text: string): string => /^(['"`])([^$]*)\1$/.exec(text)?.[2] ?? ''

function wrongArrow(file: string, room: string, rules: Allowed, imported: Import, declared: ReadonlySet<string>): string[] {
  const { from, typeOnly } = imported
  if (from === '') return file === LOADS_BY_NAME ? [] : ['imports a module by a computed name']
  if (from.startsWith('node:')) return []
  if (from.startsWith('.')) {
    const target = new URL(from, `file:///${file}`).pathname.slice(1)
    if (GENERATED.includes(target)) return []
    if (roomOf(target) !== room) return [`leaves its room by ${from}`]
    return isTest(target) ? [`imports ${from}, which is for tests`] : []
  }
  const ours = /^@twofold\/([^/]+)\/(.+)$/.exec(from)
  if (!ours) return wrongPackage(file, imported, declared)
  const [, target, path] = ours as unknown as [string, string, string]
  if (isTest(path)) return [`imports ${from}, which is for tests`]
  if (`${target}/${path}` === 'core/sql.ts' && room === 'functions' && !SQL_IN_FUNCTIONS.test(file)) return ['holds SQL']
  if (ROOT_FILES.test(file) && !OF_DEVELOPMENT.includes(target)) return []
  const allowed = rules[target]
  if (allowed === undefined) return [`imports ${target}: no arrow leads from ${room} there`]
  if (allowed === 'all' || typeOnly || allowed.includes(path)) return []
  return [`imports values of ${from}: from ${room} only types lead there`]
}

function wrongPackage(file: string, { from, typeOnly, names }: Import, declared: ReadonlySet<string>): string[] {
  const name = from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/')
  const found = DRIVERS.filter(([driver, place]) => driver.test(from) && !place.test(file)).map(
    ([, place]) => `imports ${from}, which only ${place.source} may`,
  )
  if (name === 'zod') return [...found, SHARED_ZOD]
  if (name === 'zod-own' && !typeOnly && names.includes('z')) found.push(WHOLE_ZOD)
  if (!typeOnly && !declared.has(name)) found.push(`imports ${name}, which its package.json does not declare`)
  return found
}

/** What comes in through deps: the environment, and for core the time and chance. */
function wrongWords(file: string, room: string, program: ReturnType<typeof parseSync>['program']): string[] {
  const found: string[] = []
  const member = (object: string, property: string) => {
    if (object === 'process' && property === 'env' && !READS_ENVIRONMENT.test(file)) found.push('reads process.env')
    if (room !== 'core') return
    if ((object === 'Date' && property === 'now') || (object === 'Math' && property === 'random')) found.push(`uses ${object}.${property}`)
  }
  new Visitor({
    MemberExpression({ object, property }) {
      if (object.type === 'Identifier' && property.type === 'Identifier') member(object.name, property.name)
    },
    NewExpression({ callee, arguments: given }) {
      if (room === 'core' && callee.type === 'Identifier' && callee.name === 'Date' && given.length === 0) found.push('uses new Date()')
    },
    ImportSpecifier({ imported }) {
      const name = imported.type === 'Identifier' ? imported.name : imported.value
      if (room === 'core' && /^random(UUID|Bytes|Int)$/.test(name)) found.push(`uses ${name}`)
      if (name === 'env' && !READS_ENVIRONMENT.test(file)) found.push('imports an environment')
    },
  }).visit(program)
  return found
}
