import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { SCRIPT } from '@twofold/functions/system/reference.ts'
import type { Context } from 'hono'

const FILE = new URL('browser/standalone.js', import.meta.resolve('@scalar/api-reference'))

/** Scalar's API reference from the npm package, so that the docs work without the network. */
export const referenceScript = async (c: Context): Promise<Response> =>
  c.body(await readFile(fileURLToPath(FILE), 'utf8'), 200, SCRIPT.headers)
