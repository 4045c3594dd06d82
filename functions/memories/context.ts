import { PromptContext, PromptQuery, promptContext } from '@twofold/core/memories/prompt.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { graph } from '../parts/graph.ts'

export const context = operation({
  name: 'memories.context',
  method: 'post',
  path: '/v1/memories/context',
  scope: 'memories:read',
  summary: 'What is known about a question, as text for a prompt within a budget of tokens, with ids to cite.',
  mcp: 'get_context',
  input: PromptQuery,
  output: PromptContext,
  write: false,
  example: { userId: 'alice', query: 'What did we promise Acme?', maxTokens: 800 },
  needs: [graph, embedder],
  handle: (deps, input, caller) => promptContext(deps, caller, input),
})

export const handler = lambda(context)
