import type { Reporter, TestModule } from 'vitest/node'
import { filesOf, missingOf } from './real.ts'

/**
 * Says before and after the run which servers are missing, why, and what is not tested for that; under CI=true each
 * missing server and each skipped test is a failure. TEST_MISSING holds the reasons, by server, when somebody knows them.
 */
export class Skips implements Reporter {
  readonly #missing = missingOf(process.env)
  readonly #skipped = filesOf(this.#missing).skipped

  onTestRunStart(): void {
    this.#sayMissing()
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    this.#sayMissing()
    const tests = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId} > ${test.fullName}`),
    )
    if (tests.length > 0) block([`SKIPPED: ${tests.length} tests`, ...tests])
    if (process.env.CI !== 'true' || this.#missing.length + tests.length === 0) return
    block(['CI=true: what is skipped counts as failed'])
    process.exitCode = 1
  }

  #sayMissing(): void {
    if (this.#missing.length === 0) return
    const reasons: Record<string, string> = JSON.parse(process.env.TEST_MISSING ?? '{}')
    block([
      `SKIPPED: ${this.#skipped.length} test files, for servers that are missing`,
      ...this.#missing.map((name) => `${name}: ${reasons[name] ?? 'not started; npm run test:real starts what it can'}`),
      ...this.#skipped.map((file) => `  ${file}`),
    ])
  }
}

function block(lines: string[]): void {
  const line = '!'.repeat(100)
  process.stderr.write(`\n${line}\n${lines.join('\n')}\n${line}\n`)
}
