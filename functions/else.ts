import { lambdaElse } from '@twofold/operation/http.ts'
import type { Method } from '@twofold/operation/operation.ts'
import document from '../openapi.json' with { type: 'json' }
import { container } from './container.ts'

/** What a gateway has no route for, answered as everything else is: a path that takes other methods, or none at all. */

/** As they are committed: the operations themselves would bring everything that they need. */
const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ method: method as Method, path: path as `/${string}` })),
)

export const needs = []

const within = container(needs)
let answer: ReturnType<typeof lambdaElse> | null = null

export const handler: ReturnType<typeof lambdaElse> = (event, context) =>
  within(async ({ surroundings }) => {
    answer ??= lambdaElse(routes, surroundings)
    return answer(event, context)
  })
