import { changed } from './changed.ts'
import { again, check, fillIn, repair, repairFirst, sweep, tidy } from './look.ts'
import { begin, catchUp, compare, fill, reproject, switchOver } from './rebuild.ts'
import type { RunRow } from './run.sql.ts'
import type { Phase } from './run.ts'
import { isWhole } from './scope.ts'

/** The phases of a run, in their order. The names are what a run keeps of where it is. */
export function planOf({
  operation,
  options: { dryRun, clearExisting },
  prefixes,
}: Pick<RunRow, 'operation' | 'options' | 'prefixes'>): [string, Phase][] {
  if (dryRun) return [['check', check]]
  switch (operation) {
    case 'check':
      return [['check', check]]
    case 'repair':
      return [['repair', repair]]
    case 'full':
      return [
        ['repair', repairFirst],
        ['again', again],
      ]
    case 'rebuild':
      if (!clearExisting) return [['fill in', fillIn]]
      if (!isWhole(prefixes))
        return [
          ['project', reproject],
          ['tidy', tidy],
        ]
      return [
        ['begin', begin],
        ['fill', fill],
        ['catch up', catchUp],
        ['compare', compare],
        ['switch', switchOver],
      ]
    case 'incremental':
      return [['changed', changed]]
    case 'nightly':
      return [['sweep', sweep]]
  }
}
