import { within } from '../namespaces/inside.sql.ts'
import { type Statement, sql } from '../sql.ts'
import type { Scope } from './scope.ts'

/** `subject` (a column) is one of those that the scope touches. */
export const touches = (subject: Statement, { subjects }: Pick<Scope, 'subjects'>): Statement =>
  subjects === null ? sql`true` : within(subject, subjects)
