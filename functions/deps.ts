import type { Deps } from '@twofold/core/ports.ts'
import { makeEmbedder } from '@twofold/models/embed/make.ts'
import { makeExtractor } from '@twofold/models/extract/make.ts'
import { makeLanguage } from '@twofold/models/language/make.ts'
import { prometheus } from '@twofold/telemetry/prometheus.ts'
import { assemble, type Composed } from './assemble.ts'
import type { Env } from './env.ts'
import type { AnyPart, Part } from './needs.ts'
import { graph } from './parts/graph.ts'
import { reached } from './parts/provider.ts'
import { queue } from './parts/queue.ts'

export type { Composed } from './assemble.ts'

const embedder: Part<'embedder'> = {
  name: 'embedder',
  async open(env) {
    const port = await makeEmbedder({ ...reached(env, 'EMBEDDING_MODEL'), dimensions: env.EMBEDDING_DIMENSIONS })
    return { port, close: () => port.close() }
  },
}

const extractor: Part<'extractor'> = {
  name: 'extractor',
  async open(env) {
    const port = await makeExtractor(reached(env, 'LANGUAGE_MODEL'))
    return { port, close: () => port.close() }
  },
}

const language: Part<'language'> = {
  name: 'language',
  open: async (env) => ({ port: await makeLanguage(reached(env, 'LANGUAGE_MODEL')) }),
}

/** A process that serves every operation has every part, and beside providers the models that come with an installation. */
const EVERY: readonly AnyPart[] = [graph, embedder, extractor, language, queue]

/** What a whole process is made of, by its configuration. `over` puts other parts in their place: a clock that tests turn. */
export const compose = (env: Env, over: Partial<Deps> = {}): Promise<Composed> =>
  assemble(env, EVERY, prometheus({ processes: true }), over)
