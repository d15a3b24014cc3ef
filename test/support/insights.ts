/**
 * Evaluates queries of CloudWatch Logs Insights as AWS documents them, because no implementation outside of AWS has the
 * commands that examples/deploy/queries.md uses. Throws on commands and conditions that examples/deploy/queries.md does not use.
 */

export type Row = Record<string, unknown>

/** The value of a field. A dot separates the keys of nested objects and lists, as CloudWatch does for JSON. */
function fieldOf(row: Row, field: string): unknown {
  return field.split('.').reduce<unknown>((value, key) => (value as Row | undefined)?.[key], row)
}

/** A log line as a row: its text, and its fields if it is JSON. There is no `@timestamp`, which CloudWatch adds. */
function toRow(line: string): Row {
  return { ...(line.startsWith('{') && JSON.parse(line)), '@message': line }
}

function matches(row: Row, condition: string): boolean {
  if (condition.includes(' or ')) return condition.split(' or ').some((term) => matches(row, term))
  const [, present] = /^ispresent\(([\w.@]+)\)$/.exec(condition) ?? []
  if (present) return fieldOf(row, present) !== undefined
  const [, compared, least] = /^([\w.@]+) > (\d+)$/.exec(condition) ?? []
  if (compared) return Number(fieldOf(row, compared)) > Number(least)
  const [, equal, operator, constant] = /^([\w.@]+) (=|!=) "([^"]*)"$/.exec(condition) ?? []
  if (equal) return (fieldOf(row, equal) === constant) === (operator === '=')
  const [, searched, pattern] = /^([\w.@]+) like \/(.+)\/$/.exec(condition) ?? []
  if (searched && pattern) return new RegExp(pattern).test(String(fieldOf(row, searched)))
  throw new Error(`Expected a condition that the evaluator supports, received: ${condition}`)
}

/** Splits at commas outside of parentheses. */
function listOf(text: string): string[] {
  return text.split(/, (?![^(]*\))/)
}

function aggregate(rows: readonly Row[], text: string): Row[] {
  const [aggregates = '', keys] = text.split(' by ')
  const fields = keys ? listOf(keys) : []
  const groups = Map.groupBy(rows, (row) => JSON.stringify(fields.map((field) => fieldOf(row, field))))
  return [...groups.values()].map((members) => {
    const key = fields.map((field) => [field, fieldOf(members[0] as Row, field)])
    const values = listOf(aggregates).map((expression) => {
      const [, called, field = '', name] = /^(sum|count|max)\(([\w.@*]+)\) as (\w+)$/.exec(expression) ?? []
      if (!name) throw new Error(`Expected an aggregate that the evaluator supports, received: ${expression}`)
      const numbers = members.map((row) => Number(fieldOf(row, field)))
      if (called === 'max') return [name, Math.max(...numbers)]
      return [name, called === 'count' ? members.length : numbers.reduce((total, number) => total + number, 0)]
    })
    return Object.fromEntries([...key, ...values])
  })
}

/** The rows that a query finds in log lines, with the columns that the query names. */
export function evaluate(query: string, lines: readonly string[]): Row[] {
  let rows = lines.map(toRow)
  let columns: string[] = []
  for (const command of query.trim().split(/\n\| /)) {
    const [, name = '', text = ''] = /^(\w+) (.+)$/.exec(command) ?? []
    if (name === 'filter') rows = rows.filter((row) => matches(row, text))
    else if (name === 'fields' || name === 'display') {
      const [, as] = /^jsonParse\(@message\) as (\w+)$/.exec(text) ?? []
      if (as) rows = rows.map((row) => ({ ...row, [as]: JSON.parse(String(row['@message'])) }))
      else columns = listOf(text)
    } else if (name === 'parse') {
      const [, field = '', pattern = ''] = /^([\w.@]+) \/(.+)\/$/.exec(text) ?? []
      rows = rows.map((row) => ({ ...row, ...new RegExp(pattern).exec(String(fieldOf(row, field)))?.groups }))
    } else if (name === 'unnest') {
      const [list = '', as = ''] = text.split(' into ')
      rows = rows.flatMap((row) => (fieldOf(row, list) as unknown[]).map((item) => ({ ...row, [as]: item })))
    } else if (name === 'stats') {
      rows = aggregate(rows, text)
      columns = []
    } else if (name === 'sort') {
      const [field = '', order] = text.split(' ')
      const sign = order === 'desc' ? -1 : 1
      rows = rows.toSorted((a, b) => sign * (Number(fieldOf(a, field)) - Number(fieldOf(b, field))))
    } else if (name === 'limit') rows = rows.slice(0, Number(text))
    else throw new Error(`Expected a command that the evaluator supports, received: ${command}`)
  }
  if (columns.length === 0) return rows
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, fieldOf(row, column)])))
}
