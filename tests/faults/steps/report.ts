import { describe } from './plan.ts'
import type { Ran } from './run.ts'

/** What is kept of a run: each step, who comes by, and how many of its cases healed on each graph. */
export function report(ran: readonly Ran[]): string {
  const steps = [...new Set(ran.flatMap(({ cases }) => cases.map(({ planned }) => planned.step)))].sort()
  const healed = (cases: Ran['cases']) => `${cases.filter(({ failure }) => failure === null).length} of ${cases.length}`
  const rows = steps.map((step) => {
    const of = ran.map(({ cases }) => cases.filter(({ planned }) => planned.step === step))
    const scenes = new Set(of.flat().map(({ planned }) => planned.scene))
    return `| \`${step}\` | ${scenes.size} | ${of.map(healed).join(' | ')} |`
  })
  const failed = ran.flatMap(({ graph, cases }) =>
    cases
      .filter(({ failure }) => failure !== null)
      .map(({ planned, failure }) => `- ${graph}: ${describe(planned)}: ${failure?.split('\n')[0]}`),
  )
  const scenes = [...new Set(ran.flatMap(({ cases }) => cases.map(({ planned }) => planned.scene)))]
  return `# Stopped at every step

\`npm run faults -- --write\` makes this page. A process of the service does one thing and is stopped at a step of it, which is
any call in \`packages/core\` or \`functions\` that changes a store, a cache or a queue: before it and after it, killed
(\`SIGKILL\`) and frozen (\`SIGSTOP\` until every lease is over and a user has gone on, then \`SIGCONT\`). Others then read,
sweep, send the same request again, and compare both stores with a plain expectation.

| graph | healed | minutes |
|---|---|---|
${ran.map(({ graph, cases, minutes }) => `| ${graph} | ${healed(cases)} | ${minutes.toFixed(0)} |`).join('\n')}

| step | scenes that come by | ${ran.map(({ graph }) => graph).join(' | ')} |
|---|---|${ran.map(() => '---|').join('')}
${rows.join('\n')}
${failed.length > 0 ? `\nNot healed:\n\n${failed.join('\n')}\n` : ''}
The scenes: ${scenes.join('; ')}.
`
}
