import { openapi } from '@twofold/operation/openapi.ts'
import { operations } from './operations.ts'

/** The OpenAPI 3.1 document of every operation. */
export const document = () =>
  openapi(operations, {
    title: 'Twofold',
    version: '0.1.0',
    description: 'A memory layer for AI agents that keeps every memory twice, in Postgres and in a graph, and proves that the two agree.',
  })
