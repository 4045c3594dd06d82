import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { SETUP } from './demand.ts'
import { draw } from './draw.ts'
import { readFigures } from './figures.ts'
import { PAGE, written } from './page.ts'
import { LIMITS } from './published.ts'
import { runThrough, type Scenario } from './run-through.ts'

const USAGE = `npm run simulate -- [--rate 1000] [--writes 0.1] [--peak 3] [--minutes 10] [--places 1] [--concurrency ${SETUP.concurrency}] [--account ${LIMITS.lambdaConcurrency.value}] [--seed 1]
  --rate         requests a second
  --writes       which share of them writes; the others search
  --peak         how many times more in the middle third
  --places       databases with a graph of their own among which tenants are spread
  --concurrency  batches of graph writes at once
  --account      invocations at once that the account allows
  --json         the course, second by second, as JSON
  --write        the tables of docs/scale.md anew, and nothing else
What a request takes comes from the committed pages of packages/bench; prices and limits are published ones.`

const DEFAULTS = {
  rate: 1_000,
  writes: 0.1,
  peak: 3,
  minutes: 10,
  places: 1,
  concurrency: SETUP.concurrency,
  account: LIMITS.lambdaConcurrency.value,
  seed: 1,
}

function given() {
  const flag = { type: 'boolean', default: false } as const
  const numbers = Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, { type: 'string', default: String(value) } as const]),
  )
  const { values } = parseArgs({ options: { ...numbers, json: flag, write: flag, help: flag } })
  const told: Record<string, string | boolean | undefined> = values
  const number = (name: keyof typeof DEFAULTS) => {
    const value = Number(told[name])
    const least = name === 'writes' ? 0 : name === 'rate' ? 0.001 : 1
    if (Number.isFinite(value) && value >= least && (name !== 'writes' || value <= 1)) return value
    throw new Error(`--${name} is "${told[name]}"; allowed is a number from ${least}${name === 'writes' ? ' to 1' : ''}.`)
  }
  const { minutes, ...scenario } = Object.fromEntries(
    (Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]).map((name) => [name, number(name)]),
  ) as Record<keyof typeof DEFAULTS, number>
  return { scenario: { ...scenario, seconds: Math.round(minutes * 60) } satisfies Scenario, ...values }
}

try {
  const { scenario, json, write, help } = given()
  const figures = await readFigures()
  if (help) process.stdout.write(`${USAGE}\n`)
  else if (write) await writeFile(PAGE, written(figures, await readFile(PAGE, 'utf8')))
  else {
    const course = runThrough(figures, scenario)
    process.stdout.write(json ? `${JSON.stringify({ scenario, ...course }, null, 2)}\n` : draw(figures, scenario, course))
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`)
  process.exitCode = 2
}
