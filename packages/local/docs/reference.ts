import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Context } from 'hono'

const FILE = new URL('browser/standalone.js', import.meta.resolve('@scalar/api-reference'))

/** Scalar's API reference from the npm package, so that the docs work without the network. */
export const referenceScript = async (c: Context): Promise<Response> =>
  c.body(await readFile(fileURLToPath(FILE), 'utf8'), 200, {
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=86400',
  })
