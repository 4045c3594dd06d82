import { GraphStoreError } from '@twofold/core/failures.ts'
import type { GraphSession } from '@twofold/core/graph/port.ts'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, ids, memory, note, type Scene, uuid } from './scene.ts'

const FOREVER = new Date(Date.UTC(9000, 0))

/** Several transactions in one session. */
export function reuse(scene: Scene): void {
  describe('a session that is used again', () => {
    const inReuse = <T>(work: (session: GraphSession) => Promise<T>) => scene.graph.session('reuse', work)

    test('takes every call of the port, each seeing what those before it wrote', async () => {
      const tenant = await scene.tenant()
      const answer = await inReuse(async (session) => {
        const options = { ...first, session }
        await scene.graph.apply(tenant, [memory(note, [ada]), entity(ada, 'Ada'), gone(acme, 2)], options)
        expect(await ids(scene.from(tenant, [note], {}, options))).toEqual([note, ada])
        expect(await scene.graph.counts(tenant, options)).toEqual({ memories: 1, entities: 1, sessions: 0, edges: 1 })
        expect((await scene.graph.held(tenant, [3], options)).map((thing) => thing.id)).toEqual([ada, note])
        return scene.graph.purge(tenant, FOREVER, options)
      })
      expect(answer).toBe(1)
    })

    test('commits each call: others see it at once, and a throw takes nothing back', async () => {
      const tenant = await scene.tenant()
      const trouble = new Error('after the write')
      const work = inReuse(async (session) => {
        await scene.graph.apply(tenant, [entity(ada, 'Ada')], { ...first, session })
        expect(await ids(scene.from(tenant, [ada]))).toEqual([ada])
        throw trouble
      })
      await expect(work).rejects.toBe(trouble)
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada])
    })

    test('goes on after the store refused a call', async () => {
      const tenant = await scene.tenant()
      await inReuse(async (session) => {
        const options = { ...first, session }
        const refused = scene.graph.apply(tenant, [entity(ada, 'Ada'), scene.under.poison(acme)], options)
        await expect(refused).rejects.toMatchObject({ name: 'GraphStoreError', retryable: false })
        await scene.graph.apply(tenant, [entity(acme, 'Acme')], options)
      })
      expect(await ids(scene.from(tenant, [ada, acme]))).toEqual([acme])
    })

    test('serves several tenants, one after the other', async () => {
      const [a, b] = [await scene.tenant(), await scene.tenant()]
      await inReuse(async (session) => {
        await scene.graph.apply(a, [entity(ada, 'Ada')], { ...first, session })
        expect(await ids(scene.from(b, [ada], {}, { ...first, session }))).toEqual([])
      })
    })

    test('says at once that what was written stands', async () => {
      const told: boolean[] = []
      await inReuse(async (session) => {
        await session.whenDecided(async (stands) => void told.push(stands))
        expect(told).toEqual([true])
      })
      expect(told).toEqual([true])
    })

    test('is refused to a call while another is under way, and to any after the end, as a mistake of the program', async () => {
      const tenant = await scene.tenant()
      let kept: GraphSession | undefined
      await inReuse(async (session) => {
        kept = session
        const options = { ...first, session }
        const [one, two] = await Promise.allSettled([
          scene.graph.apply(tenant, [entity(ada, 'Ada')], options),
          scene.graph.apply(tenant, [entity(acme, 'Acme')], options),
        ])
        expect(one.status).toBe('fulfilled')
        expect(two).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/under way/) } })
        expect((two as PromiseRejectedResult).reason).not.toBeInstanceOf(GraphStoreError)
        expect(await scene.graph.counts(tenant, options)).toMatchObject({ entities: 1 })
      })
      const late = await scene.graph.counts(tenant, { ...first, session: kept as GraphSession }).catch((error: unknown) => error)
      expect(late).not.toBeInstanceOf(GraphStoreError)
      expect((late as Error).message).toMatch(/ended/)
      await expect((kept as GraphSession).whenDecided(async () => undefined)).rejects.toThrow(/ended/)
    })

    test('ends at its time, which all its calls share', async () => {
      const tenant = await scene.tenant()
      const work = scene.graph.session(
        'reuse',
        async (session) => {
          await new Promise((done) => setTimeout(done, 5))
          await scene.graph.apply(tenant, [entity(ada, 'Ada')], { ...first, session })
        },
        { timeoutMs: 1 },
      )
      await expect(work).rejects.toMatchObject({ name: 'GraphStoreError', step: 'apply', retryable: true })
      expect(await ids(scene.from(tenant, [ada]))).toEqual([])
    })

    test('that was given up asks the store no more', async () => {
      const tenant = await scene.tenant()
      const work = scene.graph.session('reuse', (session) => scene.graph.apply(tenant, [entity(ada, 'Ada')], { ...first, session }), {
        signal: AbortSignal.abort(),
      })
      await expect(work).rejects.toMatchObject({ name: 'GraphStoreError', step: 'apply', retryable: true })
      expect(await ids(scene.from(tenant, [ada]))).toEqual([])
    })

    test('answers what its work answers, having asked nothing of the store if that did not', async () => {
      expect(await inReuse(async () => 'nothing to do')).toBe('nothing to do')
    })

    test('is not in the way of others', async () => {
      const tenant = await scene.tenant()
      const many = Array.from({ length: 12 }, (_, i) => uuid(600 + i))
      await Promise.all(
        many.map((id, i) =>
          inReuse(async (session) => {
            const options = { ...first, session }
            await scene.graph.apply(tenant, [memory(id, [ada])], options)
            await scene.graph.apply(tenant, [entity(ada, 'Ada', { revision: i + 1 })], options)
            expect(await ids(scene.from(tenant, [id], {}, options))).toEqual([id, ada])
          }),
        ),
      )
      expect(await scene.counts(tenant)).toMatchObject({ memories: 12, entities: 1, edges: 12 })
    })
  })
}
