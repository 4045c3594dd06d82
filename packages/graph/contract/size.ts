import { expect, test } from 'vitest'
import { entity, first, memory, type Scene, uuid } from './scene.ts'

/** Graphs of ten thousand entities. */
export function size(scene: Scene): void {
  test('ten thousand entities are written, counted and walked', async () => {
    const tenant = await scene.tenant()
    const all = Array.from({ length: 10_000 }, (_, i) => uuid(i, 'big'))
    for (let i = 0; i < all.length; i += 1000) {
      const part = all.slice(i, i + 1000)
      const relations = part.map((id, j): [string, string, string] => [all[Math.max(0, Math.floor((i + j - 1) / 10))] as string, 'has', id])
      await scene.apply(
        tenant,
        ...part.map((id, j) => entity(id, `Thing ${i + j}`, { bucket: (i + j) % 250 })),
        memory(uuid(i, 'assertion'), [], { relations }),
      )
    }
    expect(await scene.counts(tenant)).toEqual({ memories: 10, entities: 10_000, sessions: 0, edges: 10_000 })
    const near = await scene.from(tenant, [all[0] as string], { direction: 'out', hops: 3, limit: 500 })
    expect(near.cut).toBe(true)
    expect(near.nodes).toHaveLength(501)
    const whole = await scene.from(tenant, [all[0] as string], { direction: 'out', hops: 4, limit: 9_999 })
    expect(whole).toMatchObject({ cut: false })
    expect(whole.nodes).toHaveLength(10_000)
    expect(await scene.graph.held(tenant, [7, 77], first)).toHaveLength(80)
  }, 180_000)
}
