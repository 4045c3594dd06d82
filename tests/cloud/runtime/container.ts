import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { dirname, parse } from 'node:path'
import { FunctionError, openApi, PAYLOAD_BYTES, type RuntimeApi } from './api.ts'

export interface Settings {
  /** AWS's runtime client. */
  program: string
  /** The bundle, which exports `handler`. */
  bundle: string
  variables: Record<string, string>
  timeoutMs: number
  memoryMb: number
  /** Stops the process between invocations, as Lambda does. */
  freezes: boolean
}

export interface Container {
  pid: number
  /** From the start of the process until it asked for its first event. */
  initMs: number
  /** What all its threads had computed by then; null where that is not known. It depends less than the time on what else the machine does. */
  initCpuMs: number | null
  /** The same until now. */
  cpuMs(): number | null
  busy: boolean
  /** Null while it lives. */
  gone: FunctionError | null
  invoke(event: string): Promise<{ answer: string; ms: number }>
  /** What it wrote so far. */
  said(): string
  /** Ends the process as it is, and waits for that. */
  kill(): Promise<void>
}

/** As the runtime sets Node's heap from the memory of the function. */
const heapOf = (memoryMb: number): string[] => {
  const young = Math.floor(memoryMb / 10)
  return [`--max-semi-space-size=${Math.floor(young / 2)}`, `--max-old-space-size=${memoryMb - young}`]
}

/** What Lambda tells a function; beside its own variables there is nothing else. */
const told = ({ bundle, memoryMb, variables }: Settings, address: string): Record<string, string> => ({
  PATH: '/usr/bin:/bin',
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
  AWS_LAMBDA_RUNTIME_API: address,
  _HANDLER: `${parse(bundle).name}.handler`,
  LAMBDA_TASK_ROOT: dirname(bundle),
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  AWS_LAMBDA_FUNCTION_NAME: 'twofold',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
  AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/twofold',
  AWS_LAMBDA_LOG_STREAM_NAME: '2026/03/12/[$LATEST]0123456789abcdef',
  AWS_REGION: 'eu-west-1',
  AWS_DEFAULT_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'token',
  ...variables,
})

/** Starts a container and waits for the end of its init. Throws a `FunctionError` with what that ended with, and what it said. */
export async function startContainer(settings: Settings): Promise<Container> {
  const { program, bundle, timeoutMs, memoryMb, freezes } = settings
  let child: ChildProcess | null = null
  const api = await openApi(() => freezes && child?.kill('SIGSTOP'))
  const started = performance.now()
  child = spawn(process.execPath, [...heapOf(memoryMb), program], {
    ...{ cwd: dirname(bundle), env: told(settings, api.address), stdio: ['ignore', 'pipe', 'pipe'] },
  })
  const process_ = child
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      said += text
    })
  }
  const ended = once(child, 'close')
  const self: Container = {
    pid: child.pid as number,
    initMs: 0,
    initCpuMs: null,
    cpuMs: () => computedBy(self.pid),
    busy: false,
    gone: null,
    said: () => said,
    async kill() {
      process_.kill('SIGKILL')
      await ended
    },
    invoke: (event) => invoke(self, { process: process_, api, timeoutMs }, event),
  }
  void ended.then(([code, signal]) => {
    self.gone ??= new FunctionError(
      'Runtime.ExitError',
      `Runtime exited with error: ${signal ? `signal: ${signal}` : `exit status ${code}`}`,
    )
    api.end(self.gone)
    void api.close()
  })
  try {
    await api.ready
  } catch (error) {
    await self.kill()
    throw new FunctionError((error as FunctionError).type, `${(error as Error).message}\n${said}`)
  }
  self.initMs = performance.now() - started
  self.initCpuMs = self.cpuMs()
  return self
}

/** Of a process of Linux: the first figure of each of its threads is nanoseconds on a CPU. */
function computedBy(pid: number): number | null {
  const files = globSync(`/proc/${pid}/task/*/schedstat`)
  if (files.length === 0) return null
  return files.reduce((sum, file) => sum + Number(readFileSync(file, 'utf8').split(' ')[0]), 0) / 1e6
}

async function invoke(
  container: Container,
  { process, api, timeoutMs }: { process: ChildProcess; api: RuntimeApi; timeoutMs: number },
  event: string,
): Promise<{ answer: string; ms: number }> {
  container.busy = true
  const late = setTimeout(() => {
    container.gone = new FunctionError('Sandbox.Timedout', `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`)
    process.kill('SIGKILL')
  }, timeoutMs)
  const begun = performance.now()
  try {
    process.kill('SIGCONT')
    const { answer, at } = await api.give(event, Date.now() + timeoutMs)
    return { answer, ms: at - begun }
  } finally {
    clearTimeout(late)
    container.busy = false
  }
}

/** Refused by Lambda before it reaches the function. */
export function mustFit(event: string): void {
  const bytes = Buffer.byteLength(event)
  if (bytes <= PAYLOAD_BYTES) return
  throw new FunctionError('RequestTooLarge', `Request must be smaller than ${PAYLOAD_BYTES} bytes for the InvokeFunction operation`)
}
