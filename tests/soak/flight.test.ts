import { expect, test } from 'vitest'
import { Clock } from './clock.ts'
import { Flight } from './flight.ts'

test('a process that stands still in two calls at once goes on with both', async () => {
  const freezes = { freezes: 2, side: 'before' } as const
  const flight = new Flight([{ store: 'truth', at: 'every', what: freezes }], new Clock())
  const done: number[] = []
  const call = (n: number) =>
    flight.call(async () => {
      await flight.pause(flight.next('truth'), 'before')
      done.push(n)
    })
  expect(await flight.start(async () => void (await Promise.all([call(1), call(2)])))).toBe('frozen')
  expect([flight.waited(), flight.waited(), done]).toEqual([false, true, []])
  expect(await flight.thaw()).toBe('done')
  expect(done).toEqual([1, 2])
})
