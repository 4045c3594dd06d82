import { measure as measureAll } from '@twofold/core/status/measure.ts'
import { graph } from '../parts/graph.ts'
import { scheduled } from './scheduled.ts'

/** How all tenants stand, for the alarms. */
export const measure = scheduled({
  name: 'measure',
  every: 'MEASURE_INTERVAL_MS',
  longestMs: 45_000,
  needs: [graph],
  work: ({ deps, until, signal }) => measureAll(deps, { until, signal }),
})

export const handler = measure.handler
