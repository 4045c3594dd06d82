import type { Env } from '../env.ts'

type Variable = 'EMBEDDING_MODEL' | 'LANGUAGE_MODEL'

/** How a model is reached. OpenAI's address and key go to what speaks its protocol; every other provider's package knows its own variables. */
export const reached = (env: Env, variable: Variable) => {
  const model = env[variable]
  return model.startsWith('openai') ? { model, baseURL: env.OPENAI_BASE_URL, apiKey: env.OPENAI_API_KEY } : { model }
}

/** The same where a model must be a provider's: embedded ones come with an installation, and no function of the cloud holds their weights. */
export function provided(env: Env, variable: Variable): ReturnType<typeof reached> {
  if (env[variable] !== 'embedded') return reached(env, variable)
  throw new Error(`${variable} is "embedded"; allowed in a function of the cloud is provider:model such as openai:${EXAMPLE[variable]}.`)
}

const EXAMPLE: Record<Variable, string> = { EMBEDDING_MODEL: 'text-embedding-3-small', LANGUAGE_MODEL: 'gpt-5-mini' }
