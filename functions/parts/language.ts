import { providerLanguage } from '@twofold/models/language/provider.ts'
import type { Part } from '../needs.ts'
import { reached } from './provider.ts'

/** A language model of a provider. */
export const language: Part<'language'> = {
  name: 'language',
  open: async (env) => ({ port: await providerLanguage(reached(env, 'LANGUAGE_MODEL')) }),
}
