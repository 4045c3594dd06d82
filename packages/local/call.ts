export type Call = <T>(method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<T>

/** The smallest client: JSON in and out; throws with the answer's own sentence. */
export const caller =
  (url: string, key: string): Call =>
  async <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const answer = (await response.json()) as T & { detail?: string }
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${answer.detail}`)
    return answer
  }
