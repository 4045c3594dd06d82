import type { Deps } from '@twofold/core/ports.ts'
import type { Resource } from '@twofold/operation/mcp/resources.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'

interface Declared extends Omit<Resource<Deps>, 'operation' | 'among'> {
  /** The names of operations; where there is no such operation, neither is the resource. */
  operation: string
  among?: { operation: string; variables(item: any): Record<string, string> }
}

const RESOURCES: readonly Declared[] = [
  {
    uri: 'twofold://namespaces',
    name: 'Namespaces',
    description: 'Where memories are kept, and how many.',
    operation: 'namespaces.list',
    input: () => ({}),
  },
  {
    uri: 'twofold://sessions',
    name: 'Sessions',
    description: 'Units of work, newest first.',
    operation: 'sessions.list',
    input: () => ({}),
  },
  {
    // Where the reference memory server keeps it.
    uri: 'memory://knowledge-graph',
    name: 'Knowledge graph',
    description: 'The full knowledge graph with all entities and relations.',
    operation: 'mcp.read_graph',
    input: (_, namespace) => (namespace === null ? {} : { namespace }),
  },
  {
    uri: 'twofold://namespaces/{namespace}',
    name: 'Memories of a namespace',
    description: 'The memories in a namespace and below.',
    operation: 'memories.list',
    input: ({ namespace }) => ({ namespacePrefix: namespace }),
    among: { operation: 'namespaces.list', variables: ({ name }) => ({ namespace: name }) },
  },
  {
    uri: 'twofold://sessions/{id}',
    name: 'Session',
    description: 'A session with its state.',
    operation: 'sessions.get',
    input: ({ id }) => ({ id }),
    among: { operation: 'sessions.list', variables: ({ id }) => ({ id }) },
  },
  {
    uri: 'twofold://sessions/{id}/events',
    name: 'Events of a session',
    description: 'What happened in a session, in order.',
    operation: 'sessions.events',
    input: ({ id }) => ({ id }),
  },
]

/** The resources that these operations can answer. */
export function resourcesOf(operations: readonly AnyOperation<Deps>[]): Resource<Deps>[] {
  const named = (name: string) => operations.find((operation) => operation.name === name)
  return RESOURCES.flatMap(({ operation: name, among, ...rest }) => {
    const operation = named(name)
    const listing = among && named(among.operation)
    return operation ? [{ ...rest, operation, ...(listing && { among: { ...among, operation: listing } }) }] : []
  })
}
