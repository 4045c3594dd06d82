import { providerExtractor } from '@twofold/models/extract/provider.ts'
import type { Part } from '../needs.ts'
import { reached } from './provider.ts'

/** Entities and relations by a provider. */
export const extractor: Part<'extractor'> = {
  name: 'extractor',
  async open(env) {
    const port = await providerExtractor(reached(env, 'LANGUAGE_MODEL'))
    return { port, close: () => port.close() }
  },
}
