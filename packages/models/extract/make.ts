import type { Extractor } from '@twofold/core/ports.ts'

export interface ExtractorOptions {
  /** `embedded`, or a provider and its model: `openai:gpt-4o-mini`. */
  model: string
  /** Where the provider is, when not at its own address. */
  baseURL?: string | undefined
  /** When absent the provider's package looks for its own variable. */
  apiKey?: string | undefined
}

/** The extractor a configuration names. Loads only what it needs; throws one line for a model that cannot be had. */
export async function makeExtractor(options: ExtractorOptions): Promise<Extractor & { close(): Promise<void> }> {
  if (options.model === 'embedded') return (await import('./embedded.ts')).embeddedExtractor()
  return (await import('./provider.ts')).providerExtractor(options)
}
