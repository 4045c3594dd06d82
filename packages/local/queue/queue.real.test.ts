import { randomUUID } from 'node:crypto'
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { MAX_RECEIVES, queueContract } from './contract.ts'

queueContract('a queue server of another author', async () => {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const region = 'us-east-1'
  const client = new SQSClient({ endpoint: process.env.TEST_SQS_URL as string, region, credentials })
  const create = async (QueueName: string, Attributes: Record<string, string>) =>
    (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl as string
  return {
    credentials,
    region,
    async make(visibilityS) {
      const VisibilityTimeout = String(visibilityS)
      const run = randomUUID()
      const dead = await create(`dead-${run}`, { VisibilityTimeout })
      const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: ['QueueArn'] }))
      const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: MAX_RECEIVES })
      return { work: await create(`work-${run}`, { VisibilityTimeout, RedrivePolicy }), dead }
    },
    close: async () => client.destroy(),
  }
})
