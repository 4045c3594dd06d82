import type { Env } from '../env.ts'

type Variable = 'EMBEDDING_MODEL' | 'LANGUAGE_MODEL'

/** How a model is reached. OpenAI's address and key go to what speaks its protocol; every other provider's package knows its own variables. */
export const reached = (env: Env, variable: Variable) => {
  const model = env[variable]
  return model.startsWith('openai') ? { model, baseURL: env.OPENAI_BASE_URL, apiKey: env.OPENAI_API_KEY } : { model }
}
