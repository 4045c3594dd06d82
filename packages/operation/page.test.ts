import { expect, test } from 'vitest'
import { desk, KEY } from './notes.fixture.ts'
import { cursorAt } from './page.ts'

interface Page {
  items: number[]
  nextCursor: string | null
}

test('pages follow each other by their cursors to the end, 50 items each unless told', async () => {
  const { app } = desk()
  const sizes: number[] = []
  const all: number[] = []
  for (let next: string | null = ''; next !== null; ) {
    const answer = await app.request(`/v1/notes${next && `?cursor=${next}`}`, { headers: KEY })
    const page = (await answer.json()) as Page
    sizes.push(page.items.length)
    all.push(...page.items)
    next = page.nextCursor
  }
  expect(sizes).toEqual([50, 50, 20])
  expect(new Set(all).size).toBe(120)
})

test('limits outside 1 to 500 are refused', async () => {
  const { app } = desk()
  const status = async (limit: string) => (await app.request(`/v1/notes?limit=${limit}`, { headers: KEY })).status
  expect(await Promise.all(['0', '501', '1.5', '-1', 'all'].map(status))).toEqual([400, 400, 400, 400, 400])
  expect(await Promise.all(['1', '500'].map(status))).toEqual([200, 200])
})

test('a cursor that no answer held is refused by its name and nothing else of it is told', async () => {
  const { app } = desk()
  const bad = ['', 'x', '!!!', cursorAt('text'), cursorAt(-1), cursorAt({ a: 1 }), `${cursorAt(1)}%00`, 'x'.repeat(3000), 'bnVsbA']
  for (const cursor of bad) {
    const answer = await app.request(`/v1/notes?cursor=${cursor}`, { headers: KEY })
    const problem = (await answer.json()) as { errors: { path: string }[] }
    expect([cursor, answer.status, problem.errors.map((each) => each.path)]).toEqual([cursor, 400, ['cursor']])
  }
})
