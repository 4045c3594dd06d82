import { openPglite } from './pglite.ts'

/** Run by a test, which kills it: writes pairs of rows for ever and prints the number of each committed pair. */
const store = await openPglite({ folder: process.argv[2] as string, log: console.error })
await store.single({ query: 'create table written (n int, part int)', params: [] })
for (let n = 1; ; n++) {
  const write = (part: string) => ({ query: 'insert into written values ($1, $2)', params: [String(n), part] })
  await store.transaction([write('1'), write('2')], {})
  process.stdout.write(`${n}\n`)
}
