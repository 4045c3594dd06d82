import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { bare } from '../../process.ts'
import { FROZEN } from './stepped.ts'
import type { Done, Job } from './victim.ts'

const VICTIM = fileURLToPath(new URL('victim.ts', import.meta.url))

/** How it went with a process: it did what it was told to, it was killed, or it stands still until it is thawed. */
export type Outcome = { how: 'done'; done: Done } | { how: 'killed' } | { how: 'frozen'; thaw(): Promise<Done> }

export interface Victims {
  /** Gives a process something to do, and answers once it is done with that, dead or frozen. */
  run(job: Job): Promise<Outcome>
  close(): Promise<void>
}

/** Processes of the service on these stores; `ahead` of them are started before they are wanted. */
export function victims(variables: Record<string, string>, ahead: number): Victims {
  const alive = new Set<ChildProcess>()
  const waiting: Promise<ChildProcess>[] = []
  let closed = false

  async function begin(): Promise<ChildProcess> {
    const child = fork(VICTIM, { env: { ...bare(), ...variables }, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    alive.add(child)
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      said += text
    })
    child.once('exit', () => alive.delete(child))
    const gone = once(child, 'exit').then(() => {
      throw new Error(`a process did not come up: ${said}`)
    })
    await Promise.race([once(child, 'message'), gone])
    return child
  }
  const prepare = () => {
    while (!closed && waiting.length < ahead) {
      const next = begin()
      // One that does not come up is told of when it is wanted.
      next.catch(() => undefined)
      waiting.push(next)
    }
  }
  prepare()

  return {
    async run(job) {
      if (waiting.length === 0) prepare()
      const child = (await waiting.shift()) as ChildProcess
      const over = new AbortController()
      const done = once(child, 'message', { signal: over.signal }).then(([message]) => {
        // It can do something else.
        waiting.unshift(Promise.resolve(child))
        return message as Done
      })
      const killed = once(child, 'exit', { signal: over.signal }).then(([code, signal]) => {
        if (signal !== 'SIGKILL') throw new Error(`a process ended by itself: ${code ?? signal}`)
      })
      const gone = killed.then((): never => {
        throw new Error('a process was killed that was to go on')
      })
      const frozen = Promise.withResolvers<void>()
      const hear = (text: Buffer) => text.includes(FROZEN) && frozen.resolve()
      child.stdout?.on('data', hear)
      const end = () => {
        child.stdout?.off('data', hear)
        over.abort()
      }
      done.then(end, end)
      for (const each of [killed, gone]) each.catch(() => undefined)
      // It stops itself just after it has said so, on a busy machine perhaps only now.
      const thaw = async (): Promise<Done> => {
        const again = setInterval(() => child.kill('SIGCONT'), 50)
        child.kill('SIGCONT')
        return Promise.race([done, gone]).finally(() => clearInterval(again))
      }
      child.send(job)
      return Promise.race([
        done.then((result): Outcome => ({ how: 'done', done: result })),
        killed.then((): Outcome => {
          prepare()
          return { how: 'killed' }
        }),
        frozen.promise.then((): Outcome => ({ how: 'frozen', thaw })),
      ])
    },
    async close() {
      closed = true
      await Promise.allSettled(waiting)
      const ends = [...alive].map((child) => once(child, 'exit'))
      for (const child of alive) child.kill('SIGKILL')
      await Promise.all(ends)
    },
  }
}
