import type { Asked, Tenant } from '../stage.ts'
import { type Known, NOTHING, type World, withMemories } from '../world.ts'
import type { Ground } from './scene.ts'

export const USER = 'user:alice'

const NAMES = ['Ada', 'Ben', 'Cas', 'Fay', 'Gus', 'Hal', 'Ida', 'Jan']
export const someone = (i: number): string => NAMES[i % NAMES.length] as string

export const fact = (n: number, i: number, people: readonly string[] = [someone(i), 'Bob']): Known => ({
  id: `00000000-0000-7000-8000-${(n * 64 + i).toString(16).padStart(12, '0')}`,
  content: `fact${n}x${i} is of ${people.join(' and ')}`,
  version: 1,
  people,
  deleted: false,
})

export const said = ({ id, content, people, session }: Known) => {
  const named = people.map((value) => ({ type: 'person', value }))
  const relations = named.slice(1).map((to, i) => ({ from: named[i], type: 'knows', to }))
  return { id, namespace: USER, content, entities: named, relations, extractEntities: false, ...(session ? { sessionId: session } : {}) }
}

export const key = (n: number, what = 'act') => ({ 'idempotency-key': `${n}-${what}` })

export const adding = (n: number, known: Known, more: object = {}): Asked => ({
  ...{ method: 'POST', path: '/v1/memories' },
  ...{ body: { ...said(known), ...more }, headers: key(n) },
})

export const updating = (n: number, known: Known, more: object = {}): Asked => {
  const { id: _, namespace: __, ...changes } = said(known)
  return { method: 'PATCH', path: `/v1/memories/${known.id}`, body: { ...changes, ...more }, headers: key(n, `update-${known.id}`) }
}

export const restoring = (n: number, id: string): Asked => ({
  ...{ method: 'POST', path: `/v1/memories/${id}/restore`, body: {}, headers: key(n, `restore-${id}`) },
})

export const deleting = (n: number, id: string, how = ''): Asked => ({
  ...{ method: 'DELETE', path: `/v1/memories/${id}${how}`, headers: key(n, `delete${how}-${id}`) },
})

/** What `known` becomes. */
export const anew = (n: number, { id }: { id: string }): Partial<Known> => ({
  content: `anew${n}x${Number.parseInt(id.slice(-4), 16)} is of Cleo and Bob`,
  people: ['Cleo', 'Bob'],
})

export async function must(tenant: Tenant, asked: Asked): Promise<any> {
  const { status, json } = await tenant.ask(asked)
  if (status >= 300) throw new Error(`${asked.method} ${asked.path} was answered ${status}: ${JSON.stringify(json)}`)
  return json
}

/** Two memories of one person that both stores have. */
export async function settled({ tenant, n }: Pick<Ground, 'tenant' | 'n'>): Promise<World> {
  const two = [fact(n, 1), fact(n, 2)]
  for (const [i, known] of two.entries()) await must(tenant, { ...adding(n, known, { waitFor: 'graph' }), headers: key(n, `before-${i}`) })
  return withMemories(NOTHING, ...two)
}
