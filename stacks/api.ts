import { needs as mcpNeeds } from '@twofold/functions/mcp.ts'
import { operations } from '@twofold/functions/operations.ts'
import { SCRIPT } from '@twofold/functions/system/reference.ts'
import type { Need } from '@twofold/functions/variables.ts'
import { functionOf, resourceOf } from './function.ts'
import type { Reach } from './reach.ts'

/** What a function may take beyond its operation's deadline to say that it is over; both are less than the 30 seconds that an HTTP API waits. */
const GRACE_MS = 4_000
const LONGEST_MS = Math.max(...operations.map(({ deadlineMs }) => deadlineMs))

/**
 * A function and its routes for every operation of the code, one for models at `/mcp`, the script of `/docs`, and one for
 * whatever else somebody asks, so that nobody hears of the gateway.
 */
export function makeApi(reach: Reach): sst.aws.ApiGatewayV2 {
  const api = new sst.aws.ApiGatewayV2('Api', { cors: false, accessLog: { retention: '1 month' } })
  for (const { name, method, path, scope, needs, deadlineMs } of operations) {
    const needed: Need[] = [...needs.map((part) => part.name as Need), ...(scope === 'operator' ? ['operator' as const] : [])]
    const made = new sst.aws.Function(
      resourceOf(name),
      functionOf({ entry: entryOf(name), needs: needed, timeoutMs: deadlineMs + GRACE_MS }, reach),
    )
    route(api, method, path, made)
  }
  const needed = mcpNeeds.map((part) => part.name)
  const mcp = new sst.aws.Function('Mcp', functionOf({ entry: 'functions/mcp', needs: needed, timeoutMs: LONGEST_MS + GRACE_MS }, reach))
  // What is no POST it refuses itself.
  api.route('ANY /mcp', mcp.arn)
  route(api, 'get', SCRIPT.path, makeScript())
  const other = new sst.aws.Function('Else', functionOf({ entry: 'functions/else', needs: [], timeoutMs: GRACE_MS }, reach))
  api.route('$default', other.arn)
  for (const { method, path } of hidden()) route(api, method, path, other)
  return api
}

/**
 * Methods that a path does not take and a path with a parameter in its place does. The gateway looks for method and path at
 * once, so it would take `GET /v1/memories/search` for the reading of a memory of that id, which one machine refuses.
 */
function hidden(): Pick<(typeof operations)[number], 'method' | 'path'>[] {
  const standsFor = (pattern: string, path: string) =>
    pattern !== path && new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path)
  return [...Map.groupBy(operations, ({ path }) => path)].flatMap(([path, here]) => {
    const others = operations.filter((other) => standsFor(other.path, path)).map(({ method }) => method)
    return [...new Set(others)].filter((method) => !here.some((one) => one.method === method)).map((method) => ({ method, path }))
  })
}

/** Whoever answers GET answers HEAD. */
function route(api: sst.aws.ApiGatewayV2, method: string, path: string, { arn }: sst.aws.Function): void {
  for (const verb of method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]) api.route(`${verb} ${path}`, arn)
}

/** It reads one file and nothing else. */
const makeScript = () =>
  new sst.aws.Function('DocsScript', {
    ...functionOf({ entry: 'functions/system/reference', needs: [], timeoutMs: GRACE_MS }, () => ({
      link: [],
      environment: {},
      permissions: [],
    })),
    copyFiles: [{ from: `node_modules/${SCRIPT.source}`, to: SCRIPT.file }],
  })

/** An operation's file is named as the operation. */
const entryOf = (name: string): string => `functions/${name.replace('.', '/').replaceAll('_', '-')}`
