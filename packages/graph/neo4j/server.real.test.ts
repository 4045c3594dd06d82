import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, ids } from '../contract/scene.ts'
import { realScenes } from './scenes.fixture.ts'

describe('a Neo4j', () => {
  const { scene, line } = realScenes()
  const refusing = { name: 'GraphStoreError', retryable: true }

  test('that refuses the credentials is not healthy; a batch can be tried again once they are right', async () => {
    const { scene: the, graph, tenant } = await scene({ username: `nobody-${randomUUID()}`, password: 'nothing' })
    await expect(the.apply(tenant, entity(ada, 'Ada'))).rejects.toMatchObject(refusing)
    expect(await graph.health()).toMatchObject({ available: false, healthy: false })
    for (let i = 0; i < 3; i++) await the.apply(tenant, entity(ada, 'Ada')).catch(() => undefined)
    expect(await graph.health()).toMatchObject({ available: false, breaker: 'open' })
  })

  test('that is away is asked no more after three failures, and used again when it is back', async () => {
    const to = await line()
    await to.shut()
    const { scene: the, graph, tenant, times, none } = await scene({ uri: to.uri, breaker: { failures: 3, recoveryMs: 100 } })
    for (let i = 0; i < 3; i++) await expect(the.apply(tenant, entity(ada, 'Ada'))).rejects.toMatchObject(refusing)
    expect(await graph.health()).toMatchObject({ available: false, healthy: false })
    await to.open()
    await expect.poll(() => the.apply(tenant, entity(ada, 'Ada')).then(() => 'written', String), { timeout: 5_000 }).toBe('written')
    expect(await graph.health()).toMatchObject({ available: true, healthy: true, breaker: 'closed' })
    expect(times('session')).toBeGreaterThan(0)
    await none()
  })

  test('that lost its connections is asked again over new ones', async () => {
    const to = await line()
    const { scene: the, tenant, none } = await scene({ uri: to.uri })
    await the.apply(tenant, entity(ada, 'Ada'))
    to.cut()
    await the.apply(tenant, entity(acme, 'Acme'))
    expect(await ids(the.from(tenant, [ada, acme]))).toEqual([ada, acme])
    await none()
  })

  test('that says nothing any more is given up in time, counts as away, and lets go of what it held when the line breaks', async () => {
    const to = await line()
    const { scene: the, graph, tenant, none } = await scene({ uri: to.uri, breaker: { failures: 2, recoveryMs: 60_000 } })
    await the.apply(tenant, entity(ada, 'Ada'))
    to.silence()
    for (let i = 0; i < 2; i++) {
      const writing = graph.apply(tenant, [entity(acme, 'Acme')], { ...first, timeoutMs: 1_000 })
      await expect(writing).rejects.toMatchObject({ ...refusing, step: 'apply' })
    }
    expect(await graph.health()).toMatchObject({ available: false, breaker: 'open' })
    expect(graph.usage().open).toBeGreaterThan(0)
    to.cut()
    await none()
  })

  test('that never says what became of a commit leaves that unsure', async () => {
    const to = await line()
    const { graph, tenant, none } = await scene({ uri: to.uri })
    const told: boolean[] = []
    const work = graph.session(
      'atomic',
      async (session) => {
        await session.whenDecided(async (stands) => void told.push(stands))
        await graph.apply(tenant, [entity(ada, 'Ada')], { ...first, session })
        to.silence()
      },
      { timeoutMs: 2_000 },
    )
    await expect(work).rejects.toMatchObject({ ...refusing, step: 'commit', unsure: true })
    expect(told).toEqual([false])
    to.cut()
    await none()
  })
})
