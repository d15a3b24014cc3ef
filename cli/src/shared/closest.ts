/**
 * How many edits turn one text into the other. An edit inserts, deletes or replaces a letter, or exchanges two
 * neighbours. `rows[i][j]` is the number for the first `i` letters of `from` and the first `j` letters of `to`.
 */
function editsBetween(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number) => (rows[i] as number[])[j] as number
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= to.length; j++) {
      const replaced = at(i - 1, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1)
      const areExchanged = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const exchanged = areExchanged ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, exchanged))
    }
  }
  return at(from.length, to.length)
}

/**
 * The name that a misspelled one probably means. They differ by at most `maxEdits`, and by at most one edit for every
 * three letters of the misspelled name. Case does not count.
 */
export function closest(name: string, names: Iterable<string>, maxEdits = 2): string | undefined {
  const [first] = Array.from(names)
    .map((one) => ({ one, edits: editsBetween(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ edits }) => edits <= Math.min(maxEdits, name.length / 3))
    .sort((a, b) => a.edits - b.edits)
  return first?.one
}
