import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Node, parseSync, Visitor } from 'oxc-parser'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** A place in the product that changes something outside of its process. */
export interface Site {
  /** Of its line and column, as a stack names it. */
  at: string
  /** `graph/project.ts projectOnce · db.asTenant`, with a number behind where a function has several. */
  name: string
}

/** The ports that change something, and where each is declared. */
const PORTS = { Database: 'ports.ts', Cache: 'ports.ts', GraphQueue: 'ports.ts', GraphPort: 'graph/port.ts' }

/** What only looks. Whatever else a port can do is a step, so that a new method is one until it is named here. */
const LOOKS = [
  ...['health', 'close', 'embeddings', 'generations'],
  ...['traverse', 'counts', 'held', 'sums', 'heads', 'strays', 'claimants'],
  // Does nothing in the store itself; its calls are steps.
  'session',
]

const TURNS = 'turns are not shown in the graph, and go in one statement list'

/** What a process is made of, and what has no part in keeping both stores equal. */
const ELSEWHERE: Record<string, string> = {
  'functions/assemble.ts': 'builds the ports; what it does by itself is to note that a key is in use',
  'packages/core/audit/': 'the audit is not shown in the graph; what is read is noted after the answer, and a part of that may be lost',
  'packages/core/conversations/cleanup.ts': TURNS,
  'packages/core/conversations/clear.ts': TURNS,
  'packages/core/conversations/expire.ts': TURNS,
  'packages/core/keys/': 'keys are not shown in the graph, and each is written in one statement list',
  'packages/core/tenants/': 'tenants are not shown in the graph, and each is written in one statement',
}

/** The methods of the ports that change something. */
export function writing(): Set<string> {
  const found = new Set<string>()
  for (const [port, path] of Object.entries(PORTS)) {
    const { program } = parse(`packages/core/${path}`)
    new Visitor({
      TSInterfaceDeclaration({ id, body }) {
        if (id.name !== port) return
        for (const member of body.body) {
          if (member.type === 'TSMethodSignature' && member.key.type === 'Identifier') found.add(member.key.name)
        }
      },
    }).visit(program)
  }
  return new Set([...found].filter((method) => !LOOKS.includes(method)))
}

/** Every call in the product of something that writes: what a process may die before and after. */
export function sites(): Site[] {
  const methods = writing()
  return globSync(['packages/core/**/*.ts', 'functions/**/*.ts'], { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => !/(\.test|fixture)\.ts$/.test(file) && !Object.keys(ELSEWHERE).some((place) => file.startsWith(place)))
    .sort()
    .flatMap((file) => sitesIn(file, methods))
}

function sitesIn(file: string, methods: ReadonlySet<string>): Site[] {
  const { program, source } = parse(file)
  const calls: { offset: number; call: string; inside: string }[] = []
  for (const { name, from, to } of functionsIn(program.body)) {
    new Visitor({
      CallExpression({ callee, arguments: given }) {
        if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return
        const { name: method, start } = callee.property
        if (!methods.has(method) || start < from || start > to || (method === 'asCaller' && !writes(given[3]))) return
        calls.push({ offset: start, call: `${lastOf(callee.object)}.${method}`, inside: name })
      },
    }).visit(program)
  }
  const seen = new Map<string, number>()
  return calls
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, call, inside }) => {
      const plain = `${file.replace(/^packages\/core\//, '')} ${inside} · ${call}`
      const nth = (seen.get(plain) ?? 0) + 1
      seen.set(plain, nth)
      const before = source.slice(0, offset).split('\n')
      return { at: `${file}:${before.length}:${(before.at(-1) as string).length + 1}`, name: nth === 1 ? plain : `${plain} (${nth})` }
    })
}

function parse(file: string) {
  const source = readFileSync(`${root}${file}`, 'utf8')
  return { program: parseSync(file, source).program, source }
}

/** A list that a caller sends is a read unless it says that it writes. */
const writes = (options: Node | undefined): boolean =>
  options !== undefined &&
  (options.type !== 'ObjectExpression' ||
    options.properties.some((p) => p.type !== 'Property' || (p.key.type === 'Identifier' && p.key.name === 'write')))

/** `db` of `this.deps.db`. */
const lastOf = (object: Node): string =>
  object.type === 'Identifier'
    ? object.name
    : object.type === 'MemberExpression' && object.property.type === 'Identifier'
      ? object.property.name
      : '?'

/** What stands at the top of a file, and the methods of its classes, by name. */
function functionsIn(body: readonly Node[]): { name: string; from: number; to: number }[] {
  return body.flatMap((statement) => {
    const declared = 'declaration' in statement && statement.declaration ? (statement.declaration as Node) : statement
    const { start: from, end: to } = declared
    if (declared.type === 'FunctionDeclaration') return [{ name: declared.id?.name ?? 'default', from, to }]
    if (declared.type === 'ClassDeclaration')
      return declared.body.body.flatMap((member) =>
        'key' in member && member.key && 'name' in member.key
          ? [{ name: `${declared.id?.name}.${member.key.name}`, from: member.start, to: member.end }]
          : [],
      )
    if (declared.type === 'VariableDeclaration')
      return declared.declarations.map(({ id, start, end }) => ({ name: id.type === 'Identifier' ? id.name : '?', from: start, to: end }))
    return [{ name: 'itself', from, to }]
  })
}
