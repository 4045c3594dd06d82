/** What is used of Amazon Bedrock's provider, apart from the others', so that only those load it whose models are there. */
export { createAmazonBedrock } from '@ai-sdk/amazon-bedrock'
