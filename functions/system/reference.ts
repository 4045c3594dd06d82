import { readFile } from 'node:fs/promises'

/** The script of `/docs`: where it is asked for, which package has it, and its name beside the bundle, which is too small to hold it. */
export const SCRIPT = {
  path: '/docs/reference.js',
  source: '@scalar/api-reference/dist/browser/standalone.js',
  file: 'reference.js',
  headers: { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'public, max-age=86400' },
} as const

export const needs = []

/** Lambda starts every function in the folder of its bundle. */
export const handler = async () => ({ statusCode: 200, headers: SCRIPT.headers, body: await readFile(SCRIPT.file, 'utf8') })
