import { table } from './tables.ts'

/** What must hold, and whether it was seen to. */
export interface Claim {
  what: string
  bound: string
  measured: string
  holds: boolean
}

export const atMost = (what: string, most: number, measured: number, text: (n: number) => string): Claim => ({
  what,
  bound: `at most ${text(most)}`,
  measured: text(measured),
  holds: measured <= most,
})

export const verdicts = (claims: readonly Claim[]): string =>
  table(
    ['must hold', '', 'measured', 'verdict'],
    claims.map(({ what, bound, measured, holds }) => [what, bound, measured, holds ? 'holds' : '**does not hold**']),
  )
