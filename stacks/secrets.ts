import { readStage, type Stage } from '@twofold/functions/env.ts'
import { isOptional, linkOf, type Need, SECRETS, VARIABLES } from '@twofold/functions/variables.ts'

export interface Told extends Stage {
  /** What functions are told by variables: the settings of the stage, and where its metrics go. */
  environment: Record<string, string> & { METRICS_NAMESPACE: string }
  /** The secrets of a function that has these needs (`operator`: of one that only the operator may ask for); it is linked to no others. */
  secretsOf(needs: readonly Need[]): sst.Secret[]
}

/** What the stage was told: every secret of the code as one of SST, and its settings. Throws, before anything is made, when its functions could not use it. */
export function makeSecrets(): Told {
  const stage = readStage()
  for (const line of stage.typos) console.warn(line)
  // One that a stage can do without is empty until somebody sets it, which counts as not set.
  const secrets = SECRETS.map((name) => ({
    needs: VARIABLES[name].needs,
    secret: new sst.Secret(linkOf(name), isOptional(name) ? '' : undefined),
  }))
  return {
    ...stage,
    environment: { ...stage.settings, METRICS_NAMESPACE: `Twofold/${$app.stage}` },
    secretsOf: (needs) =>
      secrets.filter((each) => each.needs.length === 0 || each.needs.some((need) => needs.includes(need))).map(({ secret }) => secret),
  }
}
