import { LinksCreated, LinksInput, linkNodes } from '@twofold/core/entities/link.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const link = operation({
  name: 'graph.link_nodes',
  method: 'post',
  path: '/v1/graph/links',
  scope: 'graph:write',
  summary: 'Link entities of one subject; ends that are not there yet are made.',
  input: LinksInput,
  output: LinksCreated,
  example: {
    links: [
      {
        from: { type: 'person', value: 'Ada Lovelace', subject: 'user:alice' },
        type: 'works_at',
        to: { type: 'organization', value: 'Acme', subject: 'user:alice' },
        properties: { since: 2024 },
      },
    ],
  },
  needs: [graph, queue],
  handle: async (deps, input, caller) => {
    const { answer: made, replayed } = await linkNodes(deps, caller, input)
    return answer(made, { replayed })
  },
})

export const handler = lambda(link)
