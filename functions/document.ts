import { openapi } from '@twofold/operation/openapi.ts'
import { operations } from './operations.ts'

const problem = (status: number) => ({ $ref: `#/components/responses/Problem${status}` })

/** Beside the operations, because its messages are another protocol's. */
const mcp = {
  operationId: 'mcp',
  tags: ['mcp'],
  summary: 'The same for models: the Model Context Protocol over Streamable HTTP, without sessions.',
  security: [{ bearer: [] }],
  parameters: [
    {
      name: 'namespace',
      in: 'query',
      required: false,
      description: 'Where things go and are looked for when the model does not say; else the only namespace that the key is granted.',
      schema: { $ref: '#/components/schemas/Namespace' },
    },
    {
      name: 'tools',
      in: 'query',
      required: false,
      description: 'The only tools to show, by name with commas between them.',
      schema: { type: 'string', examples: ['search_memories,add_memory'] },
    },
  ],
  requestBody: {
    required: true,
    content: { 'application/json': { schema: { type: 'object', description: 'A message of JSON-RPC 2.0.' } } },
  },
  responses: {
    200: { description: 'OK', content: { 'application/json': { schema: { type: 'object', description: 'Its answer.' } } } },
    202: { description: 'A notification was taken.' },
    ...Object.fromEntries([400, 401, 403, 405, 413, 415, 503].map((status) => [status, problem(status)])),
  },
}

/** The OpenAPI 3.1 document of every operation. */
export const document = () => {
  const all = openapi(operations, {
    title: 'Twofold',
    version: '0.1.0',
    description: 'A memory layer for AI agents that keeps every memory twice, in Postgres and in a graph, and proves that the two agree.',
  })
  const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
  const paths = Object.fromEntries(Object.entries({ ...all.paths, '/mcp': { post: mcp } }).sort(byName))
  return { ...all, tags: [...all.tags, { name: 'mcp' }], paths }
}
