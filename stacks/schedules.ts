import { leaseMs } from '@twofold/functions/schedules/scheduled.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { functionOf, resourceOf } from './function.ts'
import { keptQueue } from './queues.ts'
import { mayTo, type Reach } from './reach.ts'
import type { Told } from './secrets.ts'

/** Of one round: when it could not be started, and again when it failed. */
const RETRIES = 2
const [HOUR, DAY] = [3600, 24 * 3600]
/** What Lambda allows. */
const [LEAST_AGE, MOST_AGE] = [60, 6 * HOUR]

/**
 * Every schedule of the code, as often as the stage says; without those that it leaves out. Answers the queue of the rounds
 * that failed in every attempt, which is how somebody hears of them: the next begins as ever.
 */
export function makeSchedules({ env }: Told, reach: Reach): sst.aws.Queue {
  const dead = keptQueue('SchedulesDead')
  for (const { declared } of schedules) {
    const { name, every, needs, autoSync = false } = declared
    if (autoSync && !env.ENABLE_AUTO_SYNC) continue
    const daily = every === 'NIGHTLY_HOUR'
    const seconds = daily ? DAY : env[every] / 1000
    const args = functionOf(
      { entry: `functions/schedules/${name}`, needs: needs.map((part) => part.name), timeoutMs: leaseMs(declared) },
      reach,
    )
    const made = new sst.aws.Function(resourceOf(`schedule-${name}`), {
      ...args,
      permissions: [...args.permissions, mayTo('sqs:SendMessage', dead)],
      retries: RETRIES,
      transform: {
        eventInvokeConfig: {
          // A round that is as old as the next is due is that one.
          maximumEventAgeInSeconds: Math.min(Math.max(seconds, LEAST_AGE), MOST_AGE),
          destinationConfig: { onFailure: { destination: dead.arn } },
        },
      },
    })
    new sst.aws.CronV2(resourceOf(`cron-${name}`), {
      function: made.arn,
      schedule: daily ? `cron(0 ${env.NIGHTLY_HOUR} * * ? *)` : rateOf(seconds),
      retries: RETRIES,
      dlq: dead.arn,
    })
  }
  return dead
}

/** The scheduler counts in whole minutes. */
function rateOf(seconds: number): `rate(${string})` {
  const minutes = Math.ceil(seconds / 60)
  return minutes === 1 ? 'rate(1 minute)' : `rate(${minutes} minutes)`
}
