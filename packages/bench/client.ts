import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '@twofold/core/status/status.ts'
import type { Running } from './launch.ts'

export interface Client {
  /** Sends a request whose body was built before; keep-alive. Throws for anything but a success. */
  send(method: string, path: string, body?: string): Promise<any>
  /** Milliseconds by part, of every answer since the last call, as `Server-Timing` said. */
  parts(): Map<string, number[]>
  /** Returns when neither the graph nor a model has anything left to do. */
  quiet(): Promise<void>
  /** Resident memory of the service's process, in bytes. */
  resident(): Promise<number>
}

export function clientOf({ url, key }: Pick<Running, 'url' | 'key'>): Client {
  let parts = new Map<string, number[]>()
  const ask = async (method: string, path: string, body?: string) => {
    const headers = { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const response = await fetch(url + path, { method, headers, body })
    const answer = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${answer.slice(0, 500)}`)
    return { response, answer }
  }
  return {
    async send(method, path, body) {
      const { response, answer } = await ask(method, path, body)
      for (const [, part, ms] of response.headers.get('server-timing')?.matchAll(/(\w+);dur=([\d.]+)/g) ?? []) {
        parts.set(part as string, [...(parts.get(part as string) ?? []), Number(ms)])
      }
      return JSON.parse(answer)
    },
    parts() {
      const taken = parts
      parts = new Map()
      return taken
    },
    async quiet() {
      for (;;) {
        const { metrics } = JSON.parse((await ask('GET', '/api/persistence/status')).answer) as Status
        if (metrics.owedGraphWrites + metrics.owedEmbeddings + metrics.owedEntities === 0) return
        await sleep(100)
      }
    },
    async resident() {
      const { answer } = await ask('GET', '/metrics')
      return Number(/^process_resident_memory_bytes (\S+)/m.exec(answer)?.[1])
    },
  }
}
