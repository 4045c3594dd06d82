import { ModelError } from '@twofold/core/failures.ts'
import { generateText, type LanguageModel, Output } from 'ai'
import type { z } from 'zod'
import { reasonOf } from './provider.ts'

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
  model: LanguageModel,
  { step, instructions, prompt, schema }: Question<S>,
  abortSignal: AbortSignal,
): Promise<z.output<S>> {
  const answer = generateText({ model, instructions, prompt, output: Output.object({ schema }), abortSignal, maxRetries: 0 })
  // Read here, because reading what did not come throws as well.
  return answer
    .then(({ output }) => output as z.output<S>)
    .catch((error) => {
      throw new ModelError(reasonOf(step, error, abortSignal), { retryable: true })
    })
}
