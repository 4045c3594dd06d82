import type { Composed } from '@twofold/functions/deps.ts'
import { mcpEndpoint } from '@twofold/functions/mcp.ts'
import { operations } from '@twofold/functions/operations.ts'
import { serve as route } from '@twofold/operation/http.ts'
import { referenceScript } from '../docs/reference.ts'
import { type Serving, serve } from './serve.ts'

/** Every operation on one port of this machine, and the same for models. Throws one clear sentence when the port is taken. */
export async function serveApi({ surroundings }: Composed, port: number): Promise<Serving> {
  const app = route(operations, surroundings, { '/mcp': mcpEndpoint(surroundings) })
  app.get('/docs/reference.js', referenceScript)
  try {
    return await serve(app, { port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new Error(`PORT ${port} is taken by another process; stop that one, or set PORT to another number (0 takes any free one).`)
  }
}
