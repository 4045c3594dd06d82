import type { Composed } from '@twofold/functions/deps.ts'
import { mcpEndpoint } from '@twofold/functions/mcp.ts'
import { operations } from '@twofold/functions/operations.ts'
import { SCRIPT } from '@twofold/functions/system/reference.ts'
import { serve as route } from '@twofold/operation/http.ts'
import { referenceScript } from '../docs/reference.ts'
import { type Serving, serve } from './serve.ts'

/** Every operation, and the same for models. */
export function apiOf(surroundings: Composed['surroundings']) {
  const app = route(operations, surroundings, { '/mcp': mcpEndpoint(surroundings) })
  app.get(SCRIPT.path, referenceScript)
  return app
}

/** All of it on one port of this machine. Throws one clear sentence when the port is taken. */
export async function serveApi({ surroundings }: Composed, port: number): Promise<Serving> {
  try {
    return await serve(apiOf(surroundings), { port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new Error(`PORT ${port} is taken by another process; stop that one, or set PORT to another number (0 takes any free one).`)
  }
}
