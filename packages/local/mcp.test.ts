import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bare, KEY, makeHome, start } from '../../tests/process.ts'

const MCP = fileURLToPath(new URL('./mcp.ts', import.meta.url))

let home: { path: string; remove(): Promise<void> }
beforeAll(async () => {
  home = await makeHome()
}, 120_000)
afterAll(() => home.remove())

/** As a desktop program does it: the process, and the protocol on its standard input and output. */
async function open(variables: Record<string, string> = {}, args: string[] = []) {
  const env = { ...bare(), TWOFOLD_HOME: home.path, TWOFOLD_API_KEY: KEY, ...variables }
  const transport = new StdioClientTransport({ command: process.execPath, args: [MCP, ...args], env, stderr: 'pipe' })
  let said = ''
  transport.stderr?.on('data', (text) => {
    said += text
  })
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(transport, { timeout: 120_000 }).catch((error) => {
    throw new Error(`${error.message}: ${said}`)
  })
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<any> =>
    (await client.callTool({ name, arguments: args })).structuredContent
  return { client, call, said: () => said }
}
type Opened = Awaited<ReturnType<typeof open>>

const content = 'The launch code is heliotrope'
const found = async ({ call }: Opened, more: object = {}) =>
  (await call('search_memories', { userId: 'alice', query: 'launch code', ...more })).results.map((each: any) => each.memory.content)

describe('npm run mcp', { timeout: 240_000 }, () => {
  test('starts the service on its home when none runs; a second program shares it, and goes on by itself when the first has left', async () => {
    const first = await open()
    expect(first.client.getServerVersion()?.name).toBe('twofold')
    expect(first.client.getInstructions()).toContain('remembers')
    const { tools } = await first.client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['add_memory', 'search_memories', 'create_entities']))
    await first.call('add_memory', { userId: 'alice', content, extractEntities: false })
    const second = await open({}, ['--namespace', 'user:alice', '--tools', 'search_memories,get_memory'])
    expect((await second.client.listTools()).tools.map(({ name }) => name).sort()).toEqual(['get_memory', 'search_memories'])
    expect(await found(second, { userId: undefined })).toEqual([content])
    await first.client.close()
    expect(await found(second)).toEqual([content])
    await second.client.close()
  })

  test('talks to the service that runs on its home, or to the one it is told, and hands on what is refused', async () => {
    const service = await start(home.path)
    try {
      for (const there of [await open(), await open({ TWOFOLD_HOME: '/nowhere', TWOFOLD_URL: service.url })]) {
        expect(await found(there)).toEqual([content])
        const refused = await there.client.callTool({ name: 'get_memory', arguments: { id: 'nonsense' } })
        expect([refused.isError, (refused.content[0] as { text: string }).text]).toEqual([true, expect.stringContaining('"path":"id"')])
        await expect(there.client.callTool({ name: 'no_tool', arguments: {} })).rejects.toMatchObject({ code: -32602 })
        const uris = (await there.client.listResources()).resources.map(({ uri }) => uri)
        expect(uris).toContain('memory://knowledge-graph')
        expect((await there.client.readResource({ uri: 'memory://knowledge-graph' })).contents).toHaveLength(1)
        await there.client.close()
      }
      await expect(open({ TWOFOLD_URL: service.url, TWOFOLD_API_KEY: 'tf_unknown' })).rejects.toThrow(/401|key/)
    } finally {
      await service.end('SIGTERM')
    }
  })
})
