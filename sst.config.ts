/// <reference path="./.sst/platform/config.d.ts" />

/** The app in the cloud. What it is made of stands in `stacks/`, a file for each kind of thing. */
export default $config({
  app: ({ stage }) => ({
    name: 'twofold',
    home: 'aws',
    // Production goes by no command typed in the wrong window, and what it kept outlives its stacks.
    protect: stage === 'prod',
    removal: stage === 'prod' ? 'retain' : 'remove',
  }),
  async run() {
    const { makeSecrets } = await import('./stacks/secrets.ts')
    const { makeQueues, subscribe } = await import('./stacks/queues.ts')
    const { makeReach } = await import('./stacks/reach.ts')
    const { makeSchedules } = await import('./stacks/schedules.ts')
    const { makeApi } = await import('./stacks/api.ts')
    const { makeAlarms } = await import('./stacks/alarms.ts')
    const { makeDashboard } = await import('./stacks/dashboards.ts')

    const told = makeSecrets()
    const queues = makeQueues()
    const reach = makeReach(told, queues)
    subscribe(queues, reach)
    const schedules = makeSchedules(told, reach)
    const api = makeApi(reach)
    const dead = Object.fromEntries(queues.map(({ subscription, dead }) => [subscription.name, dead]))
    const { alarms } = makeAlarms({ told, api, dead: { ...dead, schedules } })
    makeDashboard({ told, api, queues, alarms })
    return { url: api.url }
  },
})
