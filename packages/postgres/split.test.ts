import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { readMigrations } from './migrate.ts'
import { split } from './split.ts'

test('a file whose name is not the next number is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twofold-'))
  try {
    await writeFile(join(folder, '0002_gap.sql'), 'select 1')
    await expect(readMigrations(pathToFileURL(`${folder}/`))).rejects.toThrow(
      'migrations/0002_gap.sql: must be named NNNN_words.sql with the number 1',
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a file is split where statements end and nowhere else', () => {
  expect(
    split(`-- a; comment
create function f() returns text language sql as $$ select 'a;'; $$;
do $x$ begin perform 1; end $x$; insert into t values ('it''s; fine', "odd;name"); /* c; */
select 5 - 3, $1;
-- nothing more; really
`),
  ).toEqual([
    "-- a; comment\ncreate function f() returns text language sql as $$ select 'a;'; $$",
    'do $x$ begin perform 1; end $x$',
    `insert into t values ('it''s; fine', "odd;name")`,
    '/* c; */\nselect 5 - 3, $1',
  ])
})
