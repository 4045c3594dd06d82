import { readFileSync } from 'node:fs'
import { DEPLOYMENT, linkOf, SECRETS } from '@twofold/functions/variables.ts'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const pages = ['docs/deploy.md', 'docs/scale.md']

test('the runbook says how every secret is set, and what whoever deploys may say beside them', () => {
  const runbook = read('docs/deploy.md')
  const names = [...SECRETS.map(linkOf), ...Object.keys(DEPLOYMENT)]
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(runbook))).toEqual([])
})

test('what it tells people to run is there', () => {
  const { scripts } = JSON.parse(read('package.json'))
  const told = pages.flatMap((page) => [...read(page).matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name as string))
  expect(told.length).toBeGreaterThan(10)
  expect([...new Set(told)].filter((name) => !(name in scripts))).toEqual([])
})

test('every file that it points to is there', () => {
  for (const page of pages)
    for (const [, path] of read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) expect(() => read(`docs/${path}`)).not.toThrow()
})
