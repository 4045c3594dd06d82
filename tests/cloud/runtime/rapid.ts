import { Agent, type IncomingHttpHeaders, request } from 'node:http'

/** The three calls that AWS's client makes through an addon of its own, which would have to be compiled: here over Node's HTTP. */

const [hostname, port] = (process.env.AWS_LAMBDA_RUNTIME_API as string).split(':')
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

let posted: Promise<unknown> = Promise.resolve()

/** The next event; not before the answer to the last one has been taken. */
export async function next(): Promise<{ bodyJson: string; headers: IncomingHttpHeaders }> {
  await posted
  return send('GET', 'next')
}

export function done(id: string, answer: string): void {
  posted = send('POST', `${id}/response`, answer)
}

export function error(id: string, answer: string, cause: string): void {
  posted = send('POST', `${id}/error`, answer, { 'lambda-runtime-function-xray-error-cause': cause })
}

function send(method: string, path: string, body?: string, more: Record<string, string> = {}) {
  return new Promise<{ bodyJson: string; headers: IncomingHttpHeaders }>((resolve, reject) => {
    const headers = body === undefined ? more : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...more }
    const asked = request({ agent, hostname, port, method, path: `/2018-06-01/runtime/invocation/${path}`, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers }))
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
