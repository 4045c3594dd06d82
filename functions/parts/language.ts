import { providerLanguage } from '@twofold/models/language/provider.ts'
import type { Part } from '../needs.ts'
import { provided } from './provider.ts'

/** A language model of a provider. */
export const language: Part<'language'> = {
  name: 'language',
  open: async (env) => ({ port: await providerLanguage(provided(env, 'LANGUAGE_MODEL')) }),
}
