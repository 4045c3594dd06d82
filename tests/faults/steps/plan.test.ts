import { expect, test } from 'vitest'
import { everything, once, unknown } from './plan.ts'

const sites = Array.from({ length: 16 }, (_, i) => ({ at: `file.ts:${i}:1`, name: `step ${i}` }))
const places = sites.map(({ at }) => at)
const recorded = new Map([
  ['one', [...places, ...places.slice(0, 2)]],
  ['other', places],
])

test('in a short run each step is met once, in every way as often, by either scene', () => {
  const planned = once(recorded, sites)
  expect(planned.map(({ step }) => step)).toEqual(sites.map(({ name }) => name))
  const times = (of: (each: (typeof planned)[number]) => string) => Object.values(Object.groupBy(planned, of)).map((some) => some?.length)
  expect(times(({ stop, meanwhile }) => `${stop.how} ${stop.moment} ${meanwhile}`)).toEqual(Array(8).fill(2))
  expect(times(({ scene }) => scene)).toEqual([8, 8])
})

test('in the long one each step is met each time that each scene comes by, in all four ways', () => {
  const planned = everything(recorded, sites)
  expect(planned).toHaveLength((18 + 16) * 4)
  const again = planned.filter(({ stop }) => stop.nth === 2).map(({ scene, step, stop }) => [scene, step, stop.how, stop.moment])
  expect(again.slice(0, 4)).toEqual([
    ['one', 'step 0', 'kill', 'before'],
    ['one', 'step 0', 'freeze', 'before'],
    ['one', 'step 0', 'kill', 'after'],
    ['one', 'step 0', 'freeze', 'after'],
  ])
  expect(again).toHaveLength(8)
})

test('a step that nobody comes by is named, and so is a place that is no step', () => {
  expect(unknown(recorded, [...sites, { at: 'new.ts:1:1', name: 'new step' }])).toEqual(['new step'])
  expect(unknown(recorded, sites.slice(1))).toEqual(['file.ts:0:1'])
})
