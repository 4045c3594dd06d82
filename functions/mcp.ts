import { introduce } from '@twofold/core/keys/introduce.ts'
import { exactly, Namespace } from '@twofold/core/namespaces/namespace.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { placedFor } from '@twofold/core/tenants/placed.ts'
import { type Endpoint, lambdaEndpoint, type Surroundings } from '@twofold/operation/http.ts'
import { mcp, type Offer } from '@twofold/operation/mcp.ts'
import { container } from './container.ts'
import { knowledge } from './mcp/knowledge.ts'
import { resourcesOf } from './mcp/resources.ts'
import { needsOf } from './needs.ts'
import { offered } from './offered.ts'

const INSTRUCTIONS = `Twofold remembers across conversations. Search before you answer what somebody may have told you before
(search_memories, or get_context for text that goes right into a prompt), and store what will matter later in words that
stand alone (add_memory). A namespace says whose a memory is: user:<id>, project:<id>, session:<id>, app:<name>; userId is
short for user:<id>. What you correct keeps its history (update_memory), and what you delete can come back (restore_memory).`

const everything = [...offered, ...knowledge]

const offer: Offer<Deps> = {
  server: { name: 'twofold', title: 'Twofold', version: '0.1.0' },
  instructions: INSTRUCTIONS.replaceAll('\n', ' '),
  operations: everything,
  resources: resourcesOf(everything),
  namespace: Namespace,
  async introduce(deps, caller, named) {
    const { scopes, grants } = await placedFor(deps, caller, (at) => introduce(at, caller, named === null ? null : exactly(named)))
    const [only] = grants
    const own = grants.length === 1 && Namespace.safeParse(only).success ? (only as string) : null
    return { scopes, namespace: named ?? own }
  },
}

/** What is served at `/mcp`. The namespace of a connection is its `?namespace=`, else the only one that its key is granted. */
export const mcpEndpoint = (around: Surroundings<Deps>): Endpoint => mcp(offer, around)

/** What it needs: it is one function of all operations. */
export const needs = needsOf(everything)

const within = container(needs)
let answer: ReturnType<typeof lambdaEndpoint> | null = null

export const handler: ReturnType<typeof lambdaEndpoint> = (event, context) =>
  within(async ({ surroundings }) => {
    answer ??= lambdaEndpoint('/mcp', mcpEndpoint(surroundings), surroundings)
    return answer(event, context)
  })
