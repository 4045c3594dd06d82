import { GraphStoreError } from '@twofold/core/failures.ts'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, type Scene } from './scene.ts'

/** What fails, and how. */
export function trouble(scene: Scene): void {
  describe('trouble', () => {
    test('a row the store can never take refuses the whole batch, for good', async () => {
      const tenant = await scene.tenant()
      const error = await scene.apply(tenant, entity(ada, 'Ada'), scene.under.poison(acme)).catch((e: unknown) => e)
      expect(error).toBeInstanceOf(GraphStoreError)
      expect(error).toMatchObject({ retryable: false, step: 'apply' })
      expect(await scene.counts(tenant)).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
    })

    test('a call that was given up is told apart: another attempt can help', async () => {
      const tenant = await scene.tenant()
      const error = await scene.graph
        .apply(tenant, [entity(ada, 'Ada')], { ...first, signal: AbortSignal.abort() })
        .catch((e: unknown) => e)
      expect(error).toBeInstanceOf(GraphStoreError)
      expect(error).toMatchObject({ retryable: true })
    })

    test('health says that it is there', async () => {
      expect(await scene.graph.health()).toMatchObject({ available: true, healthy: true, breaker: 'closed' })
    })
  })
}
