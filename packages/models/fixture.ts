import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ways to fail. Those about vectors touch embeddings only. `delayMs` answers rightly, but late. */
export type Failure =
  | 'unauthorized'
  | 'rate-limited'
  | 'server-error'
  | 'hang'
  | 'cut'
  | 'malformed'
  | 'wrong-dimensions'
  | 'null-in-vector'
  | 'zero-vector'
  | 'wrong-count'
  | { delayMs: number }

export interface ProviderServer {
  /** Base URL, with `/v1`. */
  url: string
  /** How often each was asked, failures included, and how many texts went to `/embeddings`. */
  requests: { embeddings: number; texts: number; responses: number; chat: number; converse: number }
  /** Every call fails this way until told `null`. */
  fail(mode: Failure | null): void
  /** What is answered to a question for something structured, given the prompt as JSON, until told `null`. Nothing structured: a string. */
  say(answer: ((asked: any) => unknown) | null): void
  close(): Promise<void>
}

const DIMENSIONS = 64

/**
 * A model provider on 127.0.0.1 that speaks OpenAI's protocol, and Amazon Bedrock's, and is deterministic. Embeddings (64 dimensions, or as
 * the request says): texts that share words are near. Structured output: every capitalised word is an entity of type
 * person with confidence 0.9, and two that follow each other in one text are related as `knows`; of texts to consolidate
 * none belong together; and each message is a fact, which is the same as what is known in the same words. `say` puts another
 * answer in the place of the last two.
 */
export async function providerServer(): Promise<ProviderServer> {
  const requests = { embeddings: 0, texts: 0, responses: 0, chat: 0, converse: 0 }
  let mode: Failure | null = null
  let said: ((asked: any) => unknown) | null = null

  const answer = async (path: string, body: any): Promise<unknown> => {
    if (path === '/v1/embeddings') {
      requests.embeddings++
      requests.texts += [body.input].flat().length
      return embeddings(body, mode)
    }
    if (path === '/v1/responses') {
      requests.responses++
      return response(body, said)
    }
    if (path === '/v1/chat/completions') {
      requests.chat++
      return completion(body, said)
    }
    const [, call] = /^\/v1\/model\/[^/]+\/(invoke|converse)$/.exec(path) ?? []
    if (call === 'invoke') {
      requests.embeddings++
      requests.texts++
      return titan(body)
    }
    if (call === 'converse') {
      requests.converse++
      return converse(body, said)
    }
    return null
  }

  const server = createServer(async (request, reply) => {
    const now = mode
    const found = await answer(request.url ?? '', JSON.parse(await read(request)))
    if (now === 'cut') return void request.socket.destroy()
    if (now === 'hang') return
    if (typeof now === 'object' && now !== null) await sleep(now.delayMs)
    if (now === 'unauthorized') return send(reply, 401, failed('Incorrect API key provided: test'))
    if (now === 'rate-limited') return send(reply, 429, failed('Rate limit reached'), { 'retry-after': '1' })
    if (now === 'server-error') return send(reply, 500, failed('The server had an error'))
    if (now === 'malformed') return send(reply, 200, '{"data": [')
    send(reply, found === null ? 404 : 200, found ?? failed('Unknown path'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    fail(to) {
      mode = to
    },
    say(to) {
      said = to
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

const failed = (message: string) => ({ error: { message, type: 'error', param: null, code: 'error' } })

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString() || '{}'
}

function send(reply: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  reply.writeHead(status, { 'content-type': 'application/json', ...headers })
  reply.end(typeof body === 'string' ? body : JSON.stringify(body))
}

const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** FNV-1a. */
const hash = (text: string): number => [...text].reduce((h, c) => Math.imul(h ^ (c.codePointAt(0) as number), 0x01000193), 0x811c9dc5) >>> 0

/** Counts of words by bucket. The first bucket is never empty, so that a text without words has a vector too. */
function vector(text: string, dimensions: number): number[] {
  const counts = new Array<number>(dimensions).fill(0)
  counts[0] = 0.1
  for (const word of words(text)) counts[hash(word) % dimensions] = (counts[hash(word) % dimensions] as number) + 1
  const length = Math.hypot(...counts)
  return counts.map((count) => count / length)
}

function embeddings({ model, input, dimensions = DIMENSIONS }: any, mode: Failure | null): unknown {
  const texts: string[] = [input].flat()
  const vectors: (number | null)[][] = texts.map((text) => vector(text, mode === 'wrong-dimensions' ? dimensions + 1 : dimensions))
  if (mode === 'null-in-vector') vectors[0]?.splice(0, 1, null)
  if (mode === 'zero-vector') vectors[0]?.fill(0)
  if (mode === 'wrong-count') vectors.pop()
  const data = vectors.map((embedding, index) => ({ object: 'embedding', index, embedding }))
  return { object: 'list', model, data, usage: { prompt_tokens: texts.length, total_tokens: texts.length } }
}

/** What Amazon's Titan answers on Bedrock: one text a call. */
const titan = ({ inputText, dimensions = DIMENSIONS }: any) => ({ embedding: vector(inputText, dimensions), inputTextTokenCount: 1 })

type Say = ((asked: any) => unknown) | null

async function response({ model, input, text }: any, said: Say): Promise<unknown> {
  const content = await structured(text?.format?.schema, lastUser(input), said)
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 0,
    status: 'completed',
    model,
    output: [
      {
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: content, annotations: [] }],
      },
    ],
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  }
}

async function completion({ model, messages, response_format }: any, said: Say): Promise<unknown> {
  const content = await structured(response_format?.json_schema?.schema, lastUser(messages), said)
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 0,
    model,
    choices: [
      {
        index: 0,
        finish_reason: 'stop',
        message: { role: 'assistant', content },
      },
    ],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  }
}

/** On Bedrock what is structured is the input of a tool that the model has to use. */
async function converse({ messages, toolConfig }: any, said: Say): Promise<unknown> {
  const tool = toolConfig?.tools[0]?.toolSpec
  const content = await structured(tool?.inputSchema.json, lastUser(messages), said)
  const input = parsed(content)
  const part = tool && input !== undefined ? { toolUse: { toolUseId: 'tool_1', name: tool.name, input } } : { text: content }
  return {
    output: { message: { role: 'assistant', content: [part] } },
    stopReason: 'toolUse' in part ? 'tool_use' : 'end_turn',
    usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
    metrics: { latencyMs: 1 },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function lastUser(messages: any[]): string {
  const { content } = messages.findLast(({ role }) => role === 'user') ?? { content: '' }
  return typeof content === 'string' ? content : content.map(({ text = '' }) => text).join('\n')
}

/** Without a schema the answer is the text that was asked about. */
async function structured(schema: any, asked: string, said: Say): Promise<string> {
  if (schema === undefined) return asked
  if (schema.properties.entities) return JSON.stringify(found(asked))
  const { texts, messages, known } = JSON.parse(asked)
  const answer = said
    ? await said({ texts, messages, known })
    : schema.properties.groups
      ? { groups: [] }
      : { facts: facts(messages, known) }
  return typeof answer === 'string' ? answer : JSON.stringify(answer)
}

const facts = (messages: any[], known: any[]) =>
  messages.map(({ number, text }) => {
    const same = known.find((it) => it.text === text)
    return { message: number, text, event: same ? 'same' : 'add', known: same?.number ?? null }
  })

function found(text: string) {
  const people = [...new Set(text.match(/\b\p{Lu}\p{L}+/gu))].map((value) => ({ type: 'person', value }))
  const related = people.slice(1).map((to, i) => ({ from: people[i], type: 'knows', to, confidence: 0.9 }))
  return { entities: people.map((person) => ({ ...person, confidence: 0.9 })), relations: related }
}
