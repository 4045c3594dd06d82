export { prometheus as metrics } from './prometheus.ts'
export type { Telemetry } from './telemetry.ts'
