import {
  CreateEntitiesInput,
  CreateRelationsInput,
  createKnowledge,
  createRelations,
  EntitiesMade,
  RelationsMade,
} from '@twofold/core/knowledge/create.ts'
import {
  Deleted,
  DeleteEntitiesInput,
  DeleteObservationsInput,
  DeleteRelationsInput,
  deleteEntities,
  deleteObservations,
  deleteRelations,
} from '@twofold/core/knowledge/delete.ts'
import { Knowledge } from '@twofold/core/knowledge/knowledge.ts'
import { addObservations, ObservationsAdded, ObservationsInput } from '@twofold/core/knowledge/observe.ts'
import { OpenNodesInput, openNodes, ReadGraphInput, readGraph, SearchNodesInput, searchNodes } from '@twofold/core/knowledge/read.ts'
import type { Deps } from '@twofold/core/ports.ts'
import type { AnyOperation, Scope } from '@twofold/operation/operation.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { queue } from '../parts/queue.ts'

/**
 * The nine tools of the reference memory server, by its names, arguments and answers, so that what was written for it works
 * here unchanged. They are operations without a route. Each is safe to ask twice by itself (what is there is not made
 * again, what is gone is passed over), so none takes what is asked twice for a retry.
 */

const tool = <N extends string, S extends Scope>(name: N, scope: S) =>
  ({ name: `mcp.${name}`, mcp: name, path: '/mcp', scope, method: scope.endsWith(':read') ? 'get' : 'put' }) as const

const pretty = (value: unknown) => JSON.stringify(value, null, 2)

const createEntities = operation({
  ...tool('create_entities', 'graph:write'),
  summary: 'Create multiple new entities in the knowledge graph',
  input: CreateEntitiesInput,
  output: EntitiesMade,
  mcpText: ({ entities }) => pretty(entities),
  needs: [embedder, queue],
  handle: (deps, input, caller) => createKnowledge(deps, caller, input),
})

const createRelationsTool = operation({
  ...tool('create_relations', 'graph:write'),
  summary: 'Create multiple new relations between entities in the knowledge graph. Relations should be in active voice',
  input: CreateRelationsInput,
  output: RelationsMade,
  mcpText: ({ relations }) => pretty(relations),
  needs: [queue],
  handle: (deps, input, caller) => createRelations(deps, caller, input),
})

const addObservationsTool = operation({
  ...tool('add_observations', 'memories:write'),
  summary: 'Add new observations to existing entities in the knowledge graph',
  input: ObservationsInput,
  output: ObservationsAdded,
  mcpText: ({ results }) => pretty(results),
  needs: [embedder, queue],
  handle: (deps, input, caller) => addObservations(deps, caller, input),
})

const done = (what: string) => ({ success: true, message: `${what} deleted successfully` })

const deletion = { output: Deleted, destructive: true, mcpText: ({ message }: { message: string }) => message }

const deleteEntitiesTool = operation({
  ...tool('delete_entities', 'graph:write'),
  ...deletion,
  summary: 'Delete multiple entities and their associated relations from the knowledge graph',
  input: DeleteEntitiesInput,
  needs: [queue],
  async handle(deps, input, caller) {
    await deleteEntities(deps, caller, input)
    return done('Entities')
  },
})

const deleteObservationsTool = operation({
  ...tool('delete_observations', 'memories:write'),
  ...deletion,
  summary: 'Delete specific observations from entities in the knowledge graph',
  input: DeleteObservationsInput,
  needs: [queue],
  async handle(deps, input, caller) {
    await deleteObservations(deps, caller, input)
    return done('Observations')
  },
})

const deleteRelationsTool = operation({
  ...tool('delete_relations', 'graph:write'),
  ...deletion,
  summary: 'Delete multiple relations from the knowledge graph',
  input: DeleteRelationsInput,
  needs: [queue],
  async handle(deps, input, caller) {
    await deleteRelations(deps, caller, input)
    return done('Relations')
  },
})

const readGraphTool = operation({
  ...tool('read_graph', 'memories:read'),
  summary: 'Read the entire knowledge graph',
  input: ReadGraphInput,
  output: Knowledge,
  mcpText: pretty,
  handle: (deps, input, caller) => readGraph(deps, caller, input),
})

const searchNodesTool = operation({
  ...tool('search_nodes', 'memories:read'),
  summary: 'Search for nodes in the knowledge graph based on a query',
  input: SearchNodesInput,
  output: Knowledge,
  mcpText: pretty,
  handle: (deps, input, caller) => searchNodes(deps, caller, input),
})

const openNodesTool = operation({
  ...tool('open_nodes', 'memories:read'),
  summary: 'Open specific nodes in the knowledge graph by their names',
  input: OpenNodesInput,
  output: Knowledge,
  mcpText: pretty,
  handle: (deps, input, caller) => openNodes(deps, caller, input),
})

export const knowledge: readonly AnyOperation<Deps>[] = [
  ...[createEntities, createRelationsTool, addObservationsTool],
  ...[deleteEntitiesTool, deleteObservationsTool, deleteRelationsTool],
  ...[readGraphTool, searchNodesTool, openNodesTool],
]
