import type { Embedder } from '@twofold/core/ports.ts'
import type { ProviderOptions } from '../provider.ts'

/**
 * The embedder of this name: `embedded`, or `provider:model`. Each is loaded only when asked for, so that a service on
 * a provider needs no weights. `dimensions` is needed for models that are not commonly known. Refuses a configuration it cannot use.
 */
export async function makeEmbedder(
  options: ProviderOptions & { model: string; dimensions?: number },
): Promise<Embedder & { close(): Promise<void> }> {
  if (options.model !== 'embedded') return (await import('./provider.ts')).providerEmbedder(options)
  const embedder = (await import('./minilm.ts')).miniLm()
  if (options.dimensions !== undefined && options.dimensions !== embedder.dimensions) {
    throw new Error(`EMBEDDING_DIMENSIONS is ${options.dimensions}; the embedded model answers ${embedder.dimensions}.`)
  }
  return embedder
}
