import { providerEmbedder } from '@twofold/models/embed/provider.ts'
import type { Part } from '../needs.ts'
import { reached } from './provider.ts'

/** Vectors by a provider. */
export const embedder: Part<'embedder'> = {
  name: 'embedder',
  async open(env) {
    const port = await providerEmbedder({ ...reached(env, 'EMBEDDING_MODEL'), dimensions: env.EMBEDDING_DIMENSIONS })
    return { port, close: () => port.close() }
  },
}
