import type { Extractor } from '@twofold/core/ports.ts'
import type { ProviderOptions } from '../provider.ts'

/**
 * The extractor of this name: `embedded`, or `provider:model` such as `openai:gpt-5-mini`. Each is loaded only when asked
 * for. Refuses a configuration it cannot use.
 */
export async function makeExtractor(options: ProviderOptions & { model: string }): Promise<Extractor & { close(): Promise<void> }> {
  if (options.model !== 'embedded') return (await import('./provider.ts')).providerExtractor(options)
  return (await import('./embedded.ts')).embeddedExtractor()
}
