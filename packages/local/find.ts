import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Found {
  url: string
  key: string
}

const PATIENCE_MS = 5_000

const kept = (home: string, name: string): string | null => {
  const file = join(home, name)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || null : null
}

/** The key of a home, as its first start made it; null where there was none yet. */
export const keyOf = (home: string): string | null => kept(home, 'key')

/** Whether a service answers there that knows the key. */
export async function answers({ url, key }: Found): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${key}` }
    return (await fetch(`${url}/v1/health/ready`, { headers, signal: AbortSignal.timeout(PATIENCE_MS) })).ok
  } catch {
    return false
  }
}

/** The service that runs on this home, by what it left there; null when none does. */
export async function findService(home: string, apiKey: string | undefined): Promise<Found | null> {
  const [url, key] = [kept(home, 'url'), apiKey || keyOf(home)]
  return url && key && (await answers({ url, key })) ? { url, key } : null
}
