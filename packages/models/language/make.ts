import type { LanguageModel } from '@twofold/core/ports.ts'
import type { ProviderOptions } from '../provider.ts'

/** The language model of this name, `provider:model`; null for `embedded`, which has none. Refuses a configuration it cannot use. */
export async function makeLanguage(options: ProviderOptions & { model: string }): Promise<LanguageModel | null> {
  return options.model === 'embedded' ? null : (await import('./provider.ts')).providerLanguage(options)
}
