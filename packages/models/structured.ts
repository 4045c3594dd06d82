import { ModelError } from '@twofold/core/failures.ts'
import type { z } from 'zod-own'
import { type Provider, reasonOf } from './provider.ts'

/** A language model of a provider that may still have to be loaded. */
export interface Asked {
  provider: () => Promise<Provider>
  model: string
}

export interface Question<S extends z.ZodType> {
  /** What is said to have failed when it does. */
  step: string
  instructions: string
  prompt: string
  /** Loose where a model may go too far: strict structured output knows no bounds. */
  schema: S
}

/**
 * One structured answer of a language model; never tries again by itself. Throws `ModelError`, which holds neither the
 * question nor the provider's words.
 */
export async function asked<S extends z.ZodType>(
  { provider, model }: Asked,
  { step, instructions, prompt, schema }: Question<S>,
  abortSignal: AbortSignal,
): Promise<z.output<S>> {
  try {
    const { asSchema, parseJSON } = await import('./sdk.ts')
    const wanted = asSchema<z.output<S>>(schema)
    const { content } = await (await provider()).languageModel(model).doGenerate({
      prompt: [
        { role: 'system', content: instructions },
        { role: 'user', content: [{ type: 'text', text: prompt }] },
      ],
      responseFormat: { type: 'json', schema: await wanted.jsonSchema },
      abortSignal,
    })
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
    return await parseJSON({ text, schema: wanted })
  } catch (error) {
    throw new ModelError(await reasonOf(step, error, abortSignal), { retryable: true })
  }
}
