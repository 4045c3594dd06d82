import { type Container, mustFit, type Settings, startContainer } from './container.ts'

export interface LambdaFunction {
  /** One invocation, in a container that is idle, else in a new one. Throws a `FunctionError` when it does not end with an answer. */
  invoke(event: unknown): Promise<any>
  /** Every container that was started, in that order. */
  containers: readonly Container[]
  /** What all of them wrote. */
  said(): string
  close(): Promise<void>
}

export type FunctionSettings = Pick<Settings, 'program' | 'bundle' | 'variables'> & Partial<Settings>

/**
 * A function as Lambda runs it: a container is started when none is idle, takes one event at a time, is frozen while it has
 * none, and is gone when it crashes or when its time is over. The next event then finds a new one.
 */
export function lambdaFunction(given: FunctionSettings): LambdaFunction {
  const settings: Settings = { timeoutMs: 30_000, memoryMb: 512, freezes: true, ...given }
  const containers: Container[] = []
  return {
    containers,
    async invoke(event) {
      const text = JSON.stringify(event)
      mustFit(text)
      let container = containers.find(({ busy, gone }) => !busy && gone === null)
      if (!container) {
        container = await startContainer(settings)
        containers.push(container)
      }
      return JSON.parse((await container.invoke(text)).answer)
    },
    said: () => containers.map((container) => container.said()).join(''),
    async close() {
      await Promise.all(containers.map((container) => container.kill()))
    },
  }
}
