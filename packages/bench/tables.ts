import type { Latency } from './measure.ts'

/** Figures as people read them, and tables in Markdown. */
export const ms = (n: number) => (n < 10 ? n.toFixed(1) : n.toFixed(0))
export const times = (n: number) => n.toFixed(2)
export const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
export const seconds = (s: number) => `${s.toFixed(1)} s`
export const pair = ({ p50, p95 }: Latency) => `${ms(p50)} / ${ms(p95)}`

const row = (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`
export const table = (head: string[], rows: (string | number)[][]) =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n')
