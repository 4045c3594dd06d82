import * as z from 'zod-own'
import { type Statement, sql } from '../sql.ts'

/** Conditions on metadata, as callers write them; compiled to SQL over `m.metadata` with every value a parameter. */

const Scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])
const Comparable = z.union([z.string(), z.number()])

const Condition = z
  .strictObject({
    eq: Scalar.optional(),
    ne: Scalar.optional(),
    gt: Comparable.optional(),
    gte: Comparable.optional(),
    lt: Comparable.optional(),
    lte: Comparable.optional(),
    in: z.array(Scalar).min(1).max(100).optional(),
    contains: Scalar.optional(),
    exists: z.boolean().optional(),
  })
  .refine((condition) => Object.keys(condition).length > 0, 'must have at least one of eq, ne, gt, gte, lt, lte, in, contains, exists')
type Condition = z.infer<typeof Condition>

const Path = z
  .string()
  .regex(/^[^.\p{Cc}]{1,255}(\.[^.\p{Cc}]{1,255}){0,9}$/u, 'must be the path of a metadata field, such as source or author.name')

export type Filter = { AND: Filter[] } | { OR: Filter[] } | { NOT: Filter } | { [path: string]: Condition }

const branches = () => z.array(Filter).min(1).max(50)
const LOGICAL: Record<string, () => z.ZodType> = {
  AND: () => z.strictObject({ AND: branches() }),
  OR: () => z.strictObject({ OR: branches() }),
  NOT: () => z.strictObject({ NOT: Filter }),
}
const Conditions = z.record(Path, Condition).refine((fields) => Object.keys(fields).length > 0, 'must not be empty')

/** `{ AND | OR: [...] }`, `{ NOT: ... }`, or `{ "a.b": { eq | ne | gt | gte | lt | lte | in | contains | exists: ... } }`; several fields mean all of them. */
export const Filter: z.ZodType<Filter> = z.lazy(() =>
  z.unknown().transform((given, context): Filter => {
    const operator = Object.keys(LOGICAL).find((name) => typeof given === 'object' && given !== null && Object.hasOwn(given, name))
    const parsed = (operator ? (LOGICAL[operator] as () => z.ZodType)() : Conditions).safeParse(given)
    if (parsed.success) return parsed.data as Filter
    for (const issue of parsed.error.issues) {
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys : []
      for (const key of unknown) context.addIssue({ code: 'custom', path: [...issue.path, key], message: 'is not a known field' })
      if (unknown.length === 0) context.addIssue({ code: 'custom', path: issue.path, message: issue.message })
    }
    return z.NEVER
  }),
)

const MOST = 100
const sizeOf = (filter: Filter): number => {
  if ('AND' in filter) return sum((filter.AND as Filter[]).map(sizeOf))
  if ('OR' in filter) return sum((filter.OR as Filter[]).map(sizeOf))
  if ('NOT' in filter) return sizeOf(filter.NOT as Filter)
  return sum(Object.values(filter as Record<string, Condition>).map((condition) => Object.keys(condition).length))
}
const sum = (numbers: number[]) => numbers.reduce((all, n) => all + n, 0)

/** A filter of a request: what a megabyte of conditions would cost is no search any more, and no statement takes it. */
export const BoundedFilter = Filter.refine((filter) => sizeOf(filter) <= MOST, `must have at most ${MOST} conditions`)

/** The filter as a condition over `m.metadata`. A comparison with a value of another JSON type is false, never an error. */
export function filterSql(filter: Filter | undefined): Statement {
  if (filter === undefined) return sql`true`
  if ('AND' in filter) return joined((filter.AND as Filter[]).map(filterSql), sql` and `)
  if ('OR' in filter) return joined((filter.OR as Filter[]).map(filterSql), sql` or `)
  if ('NOT' in filter) return sql`not coalesce(${filterSql(filter.NOT as Filter)}, false)`
  return joined(
    Object.entries(filter as Record<string, Condition>).flatMap(([path, condition]) =>
      Object.entries(condition).map(([operator, value]) =>
        OPERATORS[operator as keyof Condition](sql`m.metadata #> ${path.split('.')}::text[]`, value),
      ),
    ),
    sql` and `,
  )
}

const joined = (parts: Statement[], word: Statement): Statement =>
  sql`(${parts.slice(1).reduce((all, part) => sql`${all}${word}${part}`, parts[0] as Statement)})`

const json = (value: unknown) => sql`${JSON.stringify(value)}::jsonb`

/** Numbers as numbers, strings in C order, so that times in ISO 8601 compare as times. */
const compares = (operator: Statement) => (field: Statement, value: unknown) =>
  typeof value === 'number'
    ? sql`case when jsonb_typeof(${field}) = 'number' then (${field})::numeric ${operator} ${String(value)}::numeric else false end`
    : sql`case when jsonb_typeof(${field}) = 'string' then (${field} #>> '{}') collate "C" ${operator} ${value} else false end`

const OPERATORS: Record<keyof Condition, (field: Statement, value: unknown) => Statement> = {
  eq: (field, value) => sql`coalesce(${field} = ${json(value)}, false)`,
  ne: (field, value) => sql`coalesce(${field} <> ${json(value)}, true)`,
  gt: compares(sql`>`),
  gte: compares(sql`>=`),
  lt: compares(sql`<`),
  lte: compares(sql`<=`),
  in: (field, value) => sql`coalesce(${field} in (select jsonb_array_elements(${json(value)})), false)`,
  // An element of an array, a key of an object, a part of a text.
  contains: (field, value) => sql`coalesce(case jsonb_typeof(${field})
    when 'array' then ${field} @> ${json([value])}
    when 'object' then ${field} ? ${String(value)}
    when 'string' then position(${String(value)} in ${field} #>> '{}') > 0
    else false end, false)`,
  exists: (field, value) => (value ? sql`(${field}) is not null` : sql`(${field}) is null`),
}
