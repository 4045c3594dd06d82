import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider'

/** How a provider is reached. What is left out the provider's package takes from its own variables, such as OPENAI_API_KEY. */
export interface ProviderOptions {
  baseURL?: string
  apiKey?: string
  fetch?: typeof fetch
}

/** What a package of the AI SDK makes, and is asked by itself: the SDK's own calls would bring agents and a gateway along, a quarter of a megabyte in every function. */
export interface Provider {
  embeddingModel(model: string): EmbeddingModelV4
  languageModel(model: string): LanguageModelV4
}

/** Splits `provider:model` at the first colon, since models have colons in their names too. */
export function readModel(tag: string): { provider: string; model: string } {
  const [, provider, model] = /^([a-z][a-z0-9-]*):(.+)$/.exec(tag) ?? []
  if (!provider || !model)
    throw new Error(`The model is "${tag}"; allowed is embedded, or provider:model such as openai:text-embedding-3-small.`)
  return { provider, model }
}

/**
 * The AI SDK's provider of this name. Those of OpenAI, of whatever speaks its protocol and of Amazon Bedrock are always there and
 * are loaded by the first call, which not every process makes; others are loaded at once, when their npm package is installed.
 */
export async function openProvider(name: string, options: ProviderOptions): Promise<() => Promise<Provider>> {
  const { baseURL, apiKey, fetch } = options
  if (name === 'openai') return later(async () => (await import('./sdk.ts')).createOpenAI({ baseURL, apiKey, fetch }))
  // By SigV4 with the credentials of the process, which in Lambda are those of the function's role.
  if (name === 'amazon-bedrock')
    return later(async () => (await import('./bedrock.ts')).createAmazonBedrock({ baseURL, apiKey, fetch }) as unknown as Provider)
  if (name === 'openai-compatible') {
    if (!baseURL) throw new Error('The provider openai-compatible needs a base URL: set OPENAI_BASE_URL.')
    const compatible = { name, baseURL, apiKey, fetch, supportsStructuredOutputs: true }
    return later(async () => (await import('./sdk.ts')).createOpenAICompatible(compatible))
  }
  const provider = await installed(name, options)
  return async () => provider
}

function later<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

async function installed(name: string, { baseURL, apiKey, fetch }: ProviderOptions): Promise<Provider> {
  const specifier = `@ai-sdk/${name}`
  const module = await import(specifier).catch((cause) => {
    throw new Error(`The provider ${name} needs the npm package ${specifier}, which is not installed.`, { cause })
  })
  const [, create] = Object.entries(module).find(([key, value]) => /^create[A-Z]/.test(key) && typeof value === 'function') ?? []
  if (!create) throw new Error(`The npm package ${specifier} exports no provider.`)
  return (create as (options: ProviderOptions) => Provider)({ baseURL, apiKey, fetch })
}

/** What may be told of a failed call: a status, not the provider's words, which quote the request and parts of the key. */
export async function reasonOf(step: string, error: unknown, signal: AbortSignal): Promise<string> {
  if (signal.aborted) return `${step} (no answer in time)`
  const { APICallError } = await import('./sdk.ts')
  return APICallError.isInstance(error) && error.statusCode !== undefined
    ? `${step} (HTTP ${error.statusCode})`
    : `${step} (no usable answer)`
}
