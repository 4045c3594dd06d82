import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../', import.meta.url))

/** Loads a file as Lambda does, with nothing set but these; answers what it said, and how it ended. */
async function load(file: string, variables: Record<string, string>): Promise<{ code: number; said: string }> {
  const program = `await import(${JSON.stringify(`${root}${file}`)}); await new Promise((loaded) => setTimeout(loaded)); console.log('loaded')`
  const options = { env: { PATH: process.env.PATH, ...variables }, cwd: root }
  return run(process.execPath, ['--input-type=module', '-e', program], options).then(
    ({ stdout, stderr }) => ({ code: 0, said: `${stdout}${stderr}` }),
    ({ code, stdout, stderr }) => ({ code, said: `${stdout}${stderr}` }),
  )
}

const IN_LAMBDA = { AWS_LAMBDA_FUNCTION_NAME: 'twofold' }
const GOOD = {
  DATABASE_URL: 'postgres://app:secret@localhost/twofold',
  EMBEDDING_MODEL: 'openai:text-embedding-3-small',
  LANGUAGE_MODEL: 'openai:gpt-5-mini',
  OPENAI_API_KEY: 'none',
}

describe('a function of the cloud', () => {
  test('is loaded where its configuration can be used, and asks nothing of anybody for that', async () => {
    expect(await load('functions/memories/get.ts', { ...IN_LAMBDA, ...GOOD })).toEqual({ code: 0, said: 'loaded\n' })
  })

  test.each(['functions/memories/get.ts', 'functions/queues/ingest.ts', 'functions/schedules/relay.ts', 'functions/mcp.ts'])(
    '%s ends while it is loaded where the configuration cannot be used, and says once why',
    async (file) => {
      const { code, said } = await load(file, { ...IN_LAMBDA, ...GOOD, DATABASE_URL: 'mysql://localhost' })
      expect(code).not.toBe(0)
      expect(said.match(/DATABASE_URL is set to something else/g)).toHaveLength(1)
      expect(said).not.toContain('loaded')
    },
  )

  test('names in its log what was probably misspelt, without its value, and is loaded all the same', async () => {
    const { code, said } = await load('functions/memories/get.ts', { ...IN_LAMBDA, ...GOOD, TWOFOLD_OPERATR_KEY: 'never-shown' })
    expect(code).toBe(0)
    expect(said).toContain(
      '"configuration.misspelt","line":"TWOFOLD_OPERATR_KEY is read by nobody; TWOFOLD_OPERATOR_KEY is probably meant."',
    )
    expect(said).not.toContain('never-shown')
  })

  test('takes no embedded model: its weights are in none', async () => {
    const { code, said } = await load('functions/memories/get.ts', { ...IN_LAMBDA, ...GOOD, EMBEDDING_MODEL: 'embedded' })
    expect(code).not.toBe(0)
    expect(said).toContain('EMBEDDING_MODEL is "embedded"; allowed ')
  })
})

test('elsewhere a handler reads no configuration before it is called', async () => {
  expect(await load('functions/memories/get.ts', {})).toEqual({ code: 0, said: 'loaded\n' })
})
