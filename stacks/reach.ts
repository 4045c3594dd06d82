import { MODELS } from '@twofold/functions/needs.ts'
import type { Need } from '@twofold/functions/variables.ts'
import type { MadeQueue } from './queues.ts'
import type { Told } from './secrets.ts'

type Input<T> = $util.Input<T>

/** What a function is given to reach what it needs. */
export interface Reached {
  link: sst.Secret[]
  environment: Record<string, Input<string>>
  permissions: { actions: string[]; resources: Input<string>[] }[]
}

export type Reach = (needs: readonly Need[]) => Reached

/** Secrets by need, the settings of the stage, and leave to ask models of Bedrock and to send to the queue of graph writes: who does not declare to need one has no way to it. */
export const makeReach =
  (told: Told, queues: readonly MadeQueue[]): Reach =>
  (needs) => {
    const asks = MODELS.some((model) => needs.includes(model)) && inBedrock(told)
    const reached: Reached = {
      link: told.secretsOf(needs),
      environment: { ...told.environment },
      permissions: asks ? [MAY_ASK_BEDROCK] : [],
    }
    if (!needs.includes('queue')) return reached
    const { subscription, queue } = queueOf(queues, 'graph-writes')
    return {
      ...reached,
      environment: { ...reached.environment, [subscription.url]: queue.url },
      permissions: [...reached.permissions, mayTo('sqs:SendMessage', queue)],
    }
  }

const inBedrock = ({ env: { EMBEDDING_MODEL, LANGUAGE_MODEL } }: Told): boolean =>
  [EMBEDDING_MODEL, LANGUAGE_MODEL].some((model) => model.startsWith('amazon-bedrock:'))

/** Any model that the account has asked for: a profile of several regions answers by the models of each. */
const MAY_ASK_BEDROCK = {
  actions: ['bedrock:InvokeModel'],
  resources: ['arn:aws:bedrock:*::foundation-model/*', 'arn:aws:bedrock:*:*:inference-profile/*'],
}

/** One action on one queue: a link to it would allow every one. */
export const mayTo = (action: string, queue: sst.aws.Queue) => ({ actions: [action], resources: [queue.arn] })

function queueOf(queues: readonly MadeQueue[], name: string): MadeQueue {
  const found = queues.find(({ subscription }) => subscription.name === name)
  if (!found) throw new Error(`There is no queue ${name}`)
  return found
}
