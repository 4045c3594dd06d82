import { afterAll, beforeAll, expect, test } from 'vitest'
import { tables } from '../../consistency/tables.ts'
import { type Cases, cases } from './case.ts'
import { describe, once, type Planned, unknown } from './plan.ts'
import { scenes } from './scenes/scenes.ts'
import { sites } from './sites.ts'
import { type Stage, stage } from './stage.ts'

const all = sites()
const recorded = new Map<string, readonly string[]>()

let here: Stage
let run: Cases
beforeAll(async () => {
  here = await stage({ NEO4J_URI: '' })
  run = cases(here, all, tables(here.deps.db))
})
afterAll(() => here.close())

test.each(Object.entries(scenes))('undisturbed, both stores show what was said: %s', { timeout: 120_000 }, async (name, setting) => {
  recorded.set(name, await run.record(setting))
})

test('every place in the product that changes something is a step that a process dies at', () => {
  expect(unknown(recorded, all)).toEqual([])
})

test('a process that is killed or frozen at any step leaves nothing that does not heal by itself', { timeout: 1_800_000 }, async () => {
  const planned = once(recorded, all)
  const failed: string[] = []
  for (const each of planned) await survive(each).catch((error) => failed.push(`${describe(each)}: ${error.stack}`))
  console.log(`steps: ${planned.length - failed.length} of ${planned.length}`)
  expect(failed).toEqual([])
})

const survive = ({ scene, stop, meanwhile }: Planned): Promise<void> => run.stop(scenes[scene] as (typeof scenes)[string], stop, meanwhile)
