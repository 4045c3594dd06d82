/** What is used of the AI SDK, apart, so that it is loaded by the first call of a model and holds nothing else. */
export { createOpenAI } from '@ai-sdk/openai'
export { createOpenAICompatible } from '@ai-sdk/openai-compatible'
export { APICallError } from '@ai-sdk/provider'
export { asSchema, parseJSON } from '@ai-sdk/provider-utils'
