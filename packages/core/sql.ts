/**
 * One SQL statement: text with numbered parameters. `Row` is what a caller may expect of each row; the database
 * driver does not check it, so the type stands beside the statement that makes it true.
 */
export interface Statement<Row = unknown> {
  readonly text: string
  readonly params: readonly unknown[]
  readonly row?: Row
}

const fragments = new WeakSet<object>()

/**
 * Builds a statement from a template. Interpolated values become parameters; an interpolated statement is spliced in
 * with its own parameters renumbered, so statements compose without ever quoting a value.
 */
export function sql<Row = unknown>(strings: TemplateStringsArray, ...values: unknown[]): Statement<Row> {
  const params: unknown[] = []
  let text = strings[0] as string
  values.forEach((value, i) => {
    if (typeof value === 'object' && value !== null && fragments.has(value)) {
      const inner = value as Statement
      const offset = params.length
      text += inner.text.replace(/\$(\d+)/g, (_, n: string) => `$${Number(n) + offset}`)
      params.push(...inner.params)
    } else {
      params.push(value)
      text += `$${params.length}`
    }
    text += strings[i + 1]
  })
  return known({ text, params })
}

/** A statement of fixed text, for what cannot be a parameter (a name, a number of dimensions). Never from a caller. */
export const raw = (text: string): Statement => known({ text, params: [] })

function known<Row>(statement: Statement<Row>): Statement<Row> {
  fragments.add(statement)
  return statement
}
