import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Those that take longest, first of them the longest by far. */
const LONG = ['/tests/faults/steps/', '/tests/']

/**
 * Begins with what takes longest, so that nobody waits for it alone at the end: by their size, which is what else goes by
 * where nothing has run yet, files that only open a suite would come last.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => [...LONG, ''].findIndex((part) => moduleId.includes(part))
    return sorted.sort((a, b) => rank(a) - rank(b))
  }
}
