import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from './process.ts'

/** What is said before a journey begins; the journeys themselves are tests of their own. */

const COMMAND = fileURLToPath(new URL('smoke.ts', import.meta.url))
const stranger = createServer((_, response) => {
  response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"detail":"The API key is unknown, revoked or expired."}')
})
let url: string
beforeAll(async () => {
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`
})
afterAll(() => stranger.close())

async function smoke(...args: string[]) {
  const { code, stderr: err } = await run(COMMAND, args).ended
  return { code, err }
}

test.each([
  ['without an address', ['--key', 'k'], 'npm run smoke --'],
  ['without a key', ['--url', 'http://127.0.0.1:9'], 'npm run smoke --'],
  ['where nobody is', ['--url', 'http://127.0.0.1:9', '--key', 'k'], 'Nobody answers at http://127.0.0.1:9'],
  ['with an option that there is not', ['--surprise'], "Unknown option '--surprise'"],
])('%s it begins nothing, says so and ends with 2', async (_, args, says) => {
  const { code, err } = await smoke(...args)
  expect([code, err]).toEqual([2, expect.stringContaining(says)])
})

test('with a key that the service does not know it says what the service says', async () => {
  const { code, err } = await smoke('--url', url, '--key', 'k')
  expect([code, err]).toEqual([2, `${url} answered with 401: The API key is unknown, revoked or expired.\n`])
})
