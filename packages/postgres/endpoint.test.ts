import { neon, neonConfig } from '@neondatabase/serverless'
import { describe, expect, test } from 'vitest'
import { sender } from './endpoint.ts'

interface Asked {
  address: string
  method: string
  body: unknown
  headers: Record<string, string>
}

const VALUES = [
  { id: 25, sent: `it's "quoted" \\ 🦊 מ\n` },
  { id: 16, sent: true, answered: 't' },
  { id: 23, sent: -5, answered: '-5' },
  { id: 701, sent: 0.1, answered: '0.1' },
  { id: 17, sent: Buffer.from([0, 255, 92]), answered: '\\x00ff5c' },
  { id: 1009, sent: ['a', '', 'b,"c"', 'back\\slash', null], answered: '{a,"","b,\\"c\\"","back\\\\slash",NULL}' },
  { id: 1007, sent: [1, -2, null], answered: '{1,-2,NULL}' },
  { id: 1000, sent: [true, false], answered: '{t,f}' },
  { id: 1009, sent: [['a'], ['b']], answered: '{{a},{b}}' },
  { id: 1009, sent: [], answered: '{}' },
  { id: 3802, sent: { a: [1, { b: null }] }, answered: '{"a":[1,{"b":null}]}' },
  { id: 2951, sent: ['01890000-0000-7000-8000-000000000001'], answered: '{01890000-0000-7000-8000-000000000001}' },
  { id: 1700, sent: '1.50', answered: '1.50' },
  { id: 25, sent: null, answered: null },
]
const STATEMENTS = [
  { text: 'select $1', params: VALUES.map(({ sent }) => sent) },
  { text: 'select 1', params: [] as unknown[] },
]
const FIELDS = VALUES.map(({ id }, i) => ({ name: `c${i}`, dataTypeID: id }))
const ANSWER = {
  results: [
    { fields: FIELDS, rows: [VALUES.map(({ answered, sent }) => (answered === undefined ? sent : answered))] },
    { fields: [], rows: [] },
  ],
}

/** A `fetch` that answers this and remembers what it was asked; the name of who asks apart. */
function line() {
  const asked: Asked[] = []
  const through = async (address: string | URL | Request, init?: RequestInit) => {
    const { method = '', body, headers } = init ?? {}
    const named = headers as Record<string, string>
    const connection = named['Neon-Connection-String']?.replace(/application_name=[^&]*/, 'application_name')
    asked.push({
      address: String(address),
      method,
      body: JSON.parse(String(body)),
      headers: { ...named, 'Neon-Connection-String': String(connection) },
    })
    return new Response(JSON.stringify(ANSWER))
  }
  return { asked, through }
}

describe('Neon’s own driver', () => {
  test.each([
    'postgresql://user:secret@ep-cool-1-pooler.eu-central-1.aws.neon.tech/twofold',
    'postgres://user:s%2Fcret@ep-cool-1.eu-central-1.aws.neon.tech:5432/twofold?sslmode=require&channel_binding=require',
    'postgresql://u%40s:p@EP-Cool.Example.COM/two%20fold?application_name=mine',
  ])('asks and reads the same of %s', async (url) => {
    const [ours, theirs] = [line(), line()]
    const before = neonConfig.fetchFunction
    neonConfig.fetchFunction = theirs.through
    try {
      const driver = neon(url)
      const expected = await driver.transaction(STATEMENTS.map(({ text, params }) => driver.query(text, params)))
      const rows = await sender({ url, fetch: ours.through })(STATEMENTS, new AbortController().signal)
      expect(ours.asked).toEqual(theirs.asked)
      expect(rows).toEqual(expected)
    } finally {
      neonConfig.fetchFunction = before
    }
  })
})
