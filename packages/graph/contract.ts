import { afterAll, beforeAll, describe } from 'vitest'
import { atomic } from './contract/atomic.ts'
import { fence } from './contract/fence.ts'
import { generations } from './contract/generations.ts'
import { held } from './contract/held.ts'
import { isolation } from './contract/isolation.ts'
import { names } from './contract/names.ts'
import { reuse } from './contract/reuse.ts'
import { type GraphUnderTest, Scene } from './contract/scene.ts'
import { shows } from './contract/shows.ts'
import { size } from './contract/size.ts'
import { sums } from './contract/sums.ts'
import { traversal } from './contract/traversal.ts'
import { trouble } from './contract/trouble.ts'

/** Whatever stands behind the Graph port must do all of this. */
export function graphContract(name: string, make: () => Promise<GraphUnderTest>): void {
  describe(name, () => {
    const scene = new Scene()
    beforeAll(async () => {
      scene.under = await make()
    }, 60_000)
    afterAll(() => scene.under?.close())

    for (const theme of [shows, fence, generations, traversal, isolation, names, held, sums, reuse, atomic, trouble, size]) theme(scene)
  })
}
