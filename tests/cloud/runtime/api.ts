import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Of one event and of one answer that somebody waits for, in bytes. */
export const PAYLOAD_BYTES = 6_291_556

/** An invocation, or the init before it, that did not end with an answer; `type` is what Lambda calls it. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError'
  readonly type: string

  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

export interface RuntimeApi {
  /** For AWS_LAMBDA_RUNTIME_API. */
  address: string
  /** Done when the function asks for its first event; fails with what its init ended with. */
  ready: Promise<void>
  /** Hands over one event: what it was answered with, and when that came, on the clock of `performance`. One at a time. */
  give(event: string, deadline: number): Promise<{ answer: string; at: number }>
  /** Tells whoever waits that nothing will come any more. */
  end(error: FunctionError): void
  close(): Promise<void>
}

interface Under {
  id: string
  event: string
  deadline: number
  answered: { answer: string; at: number } | FunctionError | null
  resolve(answered: { answer: string; at: number }): void
  reject(error: FunctionError): void
}

const FUNCTION_ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:twofold'

/**
 * The Runtime API of one container, as Lambda serves it: hands out an event when the function asks for the next, and takes
 * its answer or its error. An invocation is over when the function asks again; `onIdle` is told then.
 */
export async function openApi(onIdle: () => void): Promise<RuntimeApi> {
  const init = Promise.withResolvers<void>()
  init.promise.catch(() => undefined)
  let asking: ServerResponse | null = null
  let under: Under | null = null

  function hand(): void {
    if (!asking || !under) return
    asking.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': under.id,
      'lambda-runtime-deadline-ms': String(under.deadline),
      'lambda-runtime-invoked-function-arn': FUNCTION_ARN,
      'lambda-runtime-trace-id': 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0',
    })
    asking.end(under.event)
    asking = null
  }

  function next(response: ServerResponse): void {
    const over = under
    under = null
    asking = response
    init.resolve()
    onIdle()
    settle(over, new FunctionError('Runtime.NoAnswer', 'The function asked for the next event without having answered.'))
  }

  function answered(id: string, answer: string): number {
    if (under?.id !== id || under.answered) return 400
    const large = Buffer.byteLength(answer) > PAYLOAD_BYTES
    const tooLarge = `Response payload size exceeded maximum allowed payload size (${PAYLOAD_BYTES} bytes).`
    under.answered = large ? new FunctionError('Function.ResponseSizeTooLarge', tooLarge) : { answer, at: performance.now() }
    return large ? 413 : 202
  }

  function failed(id: string, error: FunctionError): number {
    if (under?.id !== id || under.answered) return 400
    under.answered = error
    return 202
  }

  const server = createServer(async (request, response) => {
    const [, version, runtime, what, id = '', end] = (request.url ?? '').split('/')
    if (version !== '2018-06-01' || runtime !== 'runtime') return void response.writeHead(404).end()
    if (request.method === 'GET' && what === 'invocation' && id === 'next') return next(response)
    const body = await read(request)
    let status = 404
    if (what === 'init' && id === 'error') {
      init.reject(errorOf(body))
      status = 202
    } else if (what === 'invocation' && end === 'response') status = answered(id, body)
    else if (what === 'invocation' && end === 'error') status = failed(id, errorOf(body))
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"status":"OK"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready: init.promise,
    give(event, deadline) {
      if (under) throw new Error('a container is given one event at a time')
      const given = Promise.withResolvers<{ answer: string; at: number }>()
      under = { id: randomUUID(), event, deadline, answered: null, resolve: given.resolve, reject: given.reject }
      hand()
      return given.promise
    },
    end(error) {
      init.reject(error)
      const over = under
      under = null
      settle(over, error)
    },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** What was answered stays answered, whatever came after it. */
function settle(over: Under | null, otherwise: FunctionError): void {
  const answered = over?.answered ?? otherwise
  if (answered instanceof FunctionError) over?.reject(answered)
  else over?.resolve(answered)
}

function errorOf(body: string): FunctionError {
  const { errorType, errorMessage } = JSON.parse(body) as { errorType: string; errorMessage: string }
  return new FunctionError(errorType, errorMessage)
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
