import type { TestProject } from 'vitest/node'
import { type Deployed, deployed, forgetBundles } from './deployed.ts'

declare module 'vitest' {
  interface ProvidedContext {
    prod: Deployed
  }
}

/** What deploying `prod` makes, once for all files: it takes ten seconds. */
export default async function setup({ provide }: TestProject): Promise<() => void> {
  provide('prod', await deployed('prod'))
  return forgetBundles
}
