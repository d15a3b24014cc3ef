/** How many letters must be inserted, deleted, replaced, or exchanged with the next one. */
function distance(from: string, to: string): number {
  let [beforeLast, last]: [number[], number[]] = [[], Array.from({ length: to.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      const isExchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const exchanged = isExchanged ? (beforeLast[j - 2] ?? 0) + 1 : replaced
      row[j] = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced, exchanged)
    }
    ;[beforeLast, last] = [last, row]
  }
  return last[to.length] ?? 0
}

/** The name that is most likely meant by a misspelled one. They differ by at most `most` letters. Case does not count. */
export function closest(name: string, names: Iterable<string>, most = 2): string | undefined {
  const [first] = Array.from(names)
    .filter((one) => Math.abs(one.length - name.length) <= most)
    .map((one) => ({ one, letters: distance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ letters }) => letters <= Math.min(most, name.length / 3))
    .sort((a, b) => a.letters - b.letters)
  return first?.one
}
