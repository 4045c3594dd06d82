import { GraphStoreError } from '@twofold/core/failures.ts'
import type { GraphSession } from '@twofold/core/graph/port.ts'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, ids, memory, note, other, type Scene, turin } from './scene.ts'

const FOREVER = new Date(Date.UTC(9000, 0))
const nothing = { memories: 0, entities: 0, sessions: 0, edges: 0 }

/** Several calls in one transaction. */
export function atomic(scene: Scene): void {
  describe('an atomic session', () => {
    const inAtomic = <T>(work: (session: GraphSession) => Promise<T>) => scene.graph.session('atomic', work)
    const write = (tenant: string, session: GraphSession, ...batch: Parameters<typeof scene.graph.apply>[1]) =>
      scene.graph.apply(tenant, batch, { ...first, session })

    test('sees what it wrote, and nobody else does before all of it is there', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(acme, 'Acme'), gone(turin, 2))
      const answer = await inAtomic(async (session) => {
        const options = { ...first, session }
        await write(tenant, session, memory(note, [ada, acme]), gone(other, 2, 'memory'))
        await write(tenant, session, entity(ada, 'Ada'))
        expect(await ids(scene.from(tenant, [note], {}, options))).toEqual([note, ada, acme])
        expect(await scene.graph.counts(tenant, options)).toEqual({ memories: 1, entities: 2, sessions: 0, edges: 2 })
        expect((await scene.graph.held(tenant, [3], options)).map((thing) => thing.id)).toEqual([ada, acme, note])
        expect(await scene.graph.purge(tenant, FOREVER, options)).toBe(2)
        expect(await scene.graph.purge(tenant, FOREVER, options)).toBe(0)
        expect(await scene.counts(tenant)).toEqual({ memories: 0, entities: 1, sessions: 0, edges: 0 })
        return 'done'
      })
      expect(answer).toBe('done')
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, ada, acme])
      expect(await scene.graph.purge(tenant, FOREVER, first)).toBe(0)
    })

    test('leaves nothing when its work throws, and throws the same', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(other, [ada]))
      const before = await scene.graph.held(tenant, [3], first)
      const trouble = new Error('after the write')
      const work = inAtomic(async (session) => {
        await write(tenant, session, memory(note, [ada]), gone(other, 2, 'memory'), gone(ada, 2))
        await scene.graph.purge(tenant, FOREVER, { ...first, session })
        throw trouble
      })
      await expect(work).rejects.toBe(trouble)
      expect(await scene.graph.held(tenant, [3], first)).toEqual(before)
      expect(await scene.graph.purge(tenant, FOREVER, first)).toBe(0)
    })

    test('leaves nothing when the store refuses a part of it, even if its work makes light of that', async () => {
      const tenant = await scene.tenant()
      const work = inAtomic(async (session) => {
        await write(tenant, session, entity(ada, 'Ada'))
        await write(tenant, session, scene.under.poison(acme)).catch(() => undefined)
        await scene.graph.counts(tenant, { ...first, session }).catch(() => undefined)
        await write(tenant, session, entity(turin, 'Turin')).catch(() => undefined)
      })
      const error = await work.catch((e: unknown) => e)
      expect(error).toBeInstanceOf(GraphStoreError)
      expect(error).toMatchObject({ retryable: false })
      expect(await scene.counts(tenant)).toEqual(nothing)
    })

    test('has the fence of a single call, against itself and against others', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), memory(note, [acme], { revision: 5 }))
      await inAtomic(async (session) => {
        await write(tenant, session, memory(note, [ada], { revision: 4 }), memory(other, [ada], { revision: 3 }))
        await write(tenant, session, memory(other, [acme], { revision: 2 }))
        await write(tenant, session, gone(turin, 2))
        await write(tenant, session, entity(turin, 'Turin', { revision: 2 }))
      })
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, acme])
      expect(await ids(scene.from(tenant, [other]))).toEqual([other, ada])
      expect(await ids(scene.from(tenant, [turin]))).toEqual([])
    })

    test('of two writers on one memory the newer revision wins, whoever ends last', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'))
      const outside: Promise<void>[] = []
      await inAtomic(async (session) => {
        await write(tenant, session, memory(note, [ada], { revision: 1 }), memory(other, [ada], { revision: 2 }))
        outside.push(
          scene.apply(tenant, memory(note, [acme], { revision: 2 })),
          scene.apply(tenant, memory(other, [acme], { revision: 1 })),
        )
      })
      await Promise.all(outside)
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, acme])
      expect(await ids(scene.from(tenant, [other]))).toEqual([other, ada])
    })

    test('writes to every generation it is told', async () => {
      const tenant = await scene.tenant()
      await inAtomic((session) => scene.graph.apply(tenant, [entity(ada, 'Ada')], { generations: [1, 2], session }))
      for (const generation of [1, 2])
        expect(await scene.graph.counts(tenant, { generations: [generation] })).toMatchObject({ entities: 1 })
    })

    test('tells those who wait whether it stands: after the end, and before it answers', async () => {
      const tenant = await scene.tenant()
      const told: unknown[] = []
      const attempt = (trouble: Error | null) =>
        inAtomic(async (session) => {
          for (const n of [1, 2])
            await session.whenDecided(async (stands) => void told.push([n, stands, (await scene.counts(tenant)).entities]))
          await write(tenant, session, entity(ada, 'Ada'))
          expect(told).toEqual([])
          if (trouble) throw trouble
        })
      await expect(attempt(new Error('no'))).rejects.toThrow('no')
      expect(told.splice(0).sort()).toEqual([
        [1, false, 0],
        [2, false, 0],
      ])
      await attempt(null)
      expect(told.sort()).toEqual([
        [1, true, 1],
        [2, true, 1],
      ])
    })

    test('throws what those who wait throw, all of them told, and stands', async () => {
      const tenant = await scene.tenant()
      const trouble = new Error('cannot be noted')
      let other = false
      const work = inAtomic(async (session) => {
        await session.whenDecided(() => Promise.reject(trouble))
        await session.whenDecided(async (stands) => {
          other = stands
        })
        await write(tenant, session, entity(ada, 'Ada'))
      })
      await expect(work).rejects.toBe(trouble)
      expect(other).toBe(true)
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada])
    })

    test('is refused to a call while another is under way, to another tenant, and to any call after the end', async () => {
      const [tenant, another] = [await scene.tenant(), await scene.tenant()]
      let kept: GraphSession | undefined
      await inAtomic(async (session) => {
        kept = session
        const [one, two] = await Promise.allSettled([
          scene.graph.counts(tenant, { ...first, session }),
          scene.graph.counts(tenant, { ...first, session }),
        ])
        expect(one.status).toBe('fulfilled')
        expect(two).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/under way/) } })
        await expect(scene.graph.counts(another, { ...first, session })).rejects.toThrow(/one tenant/)
      })
      await expect(scene.graph.counts(tenant, { ...first, session: kept as GraphSession })).rejects.toThrow(/ended/)
      await expect((kept as GraphSession).whenDecided(async () => undefined)).rejects.toThrow(/ended/)
    })

    test('that ends while one of its calls is under way leaves nothing', async () => {
      const tenant = await scene.tenant()
      let stray: Promise<unknown> | undefined
      const work = inAtomic(async (session) => {
        await write(tenant, session, entity(ada, 'Ada'))
        stray = scene.graph.counts(tenant, { ...first, session }).catch(() => undefined)
      })
      await expect(work).rejects.toThrow(/await it/)
      await stray
      expect(await scene.counts(tenant)).toEqual(nothing)
    })

    test.each([
      ['its own time', { timeoutMs: 40 }, {}],
      ['the time of any of its calls', {}, { timeoutMs: 40 }],
    ])('leaves nothing once %s is up', async (_, ofSession, ofCall) => {
      const tenant = await scene.tenant()
      const work = scene.graph.session(
        'atomic',
        async (session) => {
          await scene.graph.apply(tenant, [entity(ada, 'Ada')], { ...first, ...ofCall, session })
          await new Promise((done) => setTimeout(done, 50))
        },
        ofSession,
      )
      await expect(work).rejects.toMatchObject({ name: 'GraphStoreError', retryable: true })
      expect(await scene.counts(tenant)).toEqual(nothing)
    })

    test('that was given up leaves nothing', async () => {
      const tenant = await scene.tenant()
      const up = new AbortController()
      const work = scene.graph.session(
        'atomic',
        async (session) => {
          await write(tenant, session, entity(ada, 'Ada'))
          up.abort()
        },
        { signal: up.signal },
      )
      await expect(work).rejects.toMatchObject({ name: 'GraphStoreError', retryable: true })
      expect(await scene.counts(tenant)).toEqual(nothing)
    })

    test('in which nothing is done answers all the same', async () => {
      expect(await inAtomic(async () => 'nothing to do')).toBe('nothing to do')
    })
  })
}
