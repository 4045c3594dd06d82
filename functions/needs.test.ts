import type { Deps } from '@twofold/core/ports.ts'
import { expect, test } from 'vitest'
import { holding, needsOf, undeclared } from './needs.ts'
import { operations } from './operations.ts'
import { schedules } from './schedules/schedules.ts'

const deps = {
  embedder: { model: 'openai:test', dimensions: 64, embed: async () => [] },
  language: null,
  graph: { adapter: 'postgres', health: async () => 'fine' },
  queue: { nudge: async () => undefined },
  now: () => new Date(0),
} as unknown as Deps

test('what was declared is there, and so is all that everything has', async () => {
  const its = holding([{ name: 'graph' }])(deps)
  expect(await its.graph.health()).toBe('fine')
  expect(its.now()).toEqual(new Date(0))
})

test('what was not declared throws when it is used, and names what to declare', () => {
  const its = holding([{ name: 'graph' }])(deps)
  expect(() => its.queue.nudge('tenant', [])).toThrow('queue.nudge is used without being declared: add queue to the needs of what uses it')
  expect(() => its.embedder.embed([], { signal: AbortSignal.timeout(1), priority: 'interactive' })).toThrow('embedder.embed')
})

test('what was not declared still says which it is, and whether there is any', () => {
  const its = holding([])(deps)
  expect([its.embedder.model, its.embedder.dimensions, its.graph.adapter, its.language]).toEqual(['openai:test', 64, 'postgres', null])
})

test('what is known of a part that is not there can be asked for nothing else', () => {
  const port = undeclared('embedder', { model: 'openai:test', dimensions: 64 })
  expect([port.model, port.dimensions]).toEqual(['openai:test', 64])
  expect(() => port.embed).toThrow('add embedder to the needs')
})

test('a port that is put in the place of another later is the one that is used', async () => {
  const here = { ...deps }
  const its = holding([{ name: 'graph' }])(here)
  here.graph = { ...here.graph, health: async () => 'away' as never }
  expect(await its.graph.health()).toBe('away')
})

test('every need is named once, whatever it stands in', () => {
  const together = needsOf(operations).map(({ name }) => name)
  expect(together.toSorted()).toEqual(['embedder', 'extractor', 'graph', 'language', 'queue'])
  for (const { needs } of [...operations, ...schedules.map(({ declared }) => declared)])
    expect(new Set(needs.map(({ name }) => name)).size).toBe(needs.length)
})
