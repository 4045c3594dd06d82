import { describe, expect, test } from 'vitest'
import { find } from './find.ts'

const named = (text: string, known: string[] = []) => find(text, known).entities.map(({ type, value }) => `${type}: ${value}`)

describe('find', () => {
  test('names the person, the organization and the place of a plain sentence', () => {
    expect(named('Met John Smith from Acme Corporation in Berlin about the launch.')).toEqual([
      'person: John Smith',
      'organization: Acme Corporation',
      'place: Berlin',
    ])
    expect(named('Meeting with John about Q4 roadmap')).toContain('person: John')
  })
})
