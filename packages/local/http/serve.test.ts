import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { serve } from './serve.ts'

test('closing finishes running requests, refuses new ones and waits for no idle connection', async () => {
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const app = {
    async fetch(request: Request) {
      if (new URL(request.url).pathname === '/slow') {
        entered.resolve()
        await leave.promise
      }
      return new Response(`echo ${await request.text()}`)
    },
  }
  const serving = await serve(app, { port: 0 })
  expect(await (await fetch(serving.url, { method: 'POST', body: 'hi' })).text()).toBe('echo hi')
  const idle = connect(serving.port, '127.0.0.1')
  const idleClosed = new Promise((resolve) => idle.once('close', resolve))
  await new Promise((resolve) => idle.once('connect', resolve))
  const slow = fetch(`${serving.url}/slow`, { method: 'POST', body: 'slow' })
  await entered.promise
  const closed = serving.close()
  await expect(fetch(serving.url)).rejects.toThrow('fetch failed')
  leave.resolve()
  expect(await (await slow).text()).toBe('echo slow')
  await closed
  await idleClosed
})

test('a request that does not end is cut when the grace is over', async () => {
  const entered = Promise.withResolvers<void>()
  const app = {
    fetch() {
      entered.resolve()
      return new Promise<Response>(() => undefined)
    },
  }
  const serving = await serve(app, { port: 0, graceMs: 50 })
  const cut = expect(fetch(serving.url)).rejects.toThrow()
  await entered.promise
  await serving.close()
  await cut
})

test('a port that is taken is an error', async () => {
  const first = await serve({ fetch: () => new Response('first') }, { port: 0 })
  await expect(serve({ fetch: () => new Response('second') }, { port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await first.close()
})
