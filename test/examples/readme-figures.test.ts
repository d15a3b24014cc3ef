/** The figures at the top of README.md are those of the last benchmark. */
import { readFileSync } from 'node:fs'
import t from 'tap'

/** The cells of each row of a table, by the text in the header. */
function rowsOf(path: string, firstHeader: RegExp): Map<string, string>[] {
  const lines = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').split('\n')
  const cells = (line = '') =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll(/[*`]/g, '').trim())
  const start = lines.findIndex((line) => firstHeader.test(line))
  const header = cells(lines[start])
  const end = lines.indexOf('', start)
  return lines
    .slice(start + 2, end)
    .map((line) => new Map(cells(line).map((cell, column) => [header[column] ?? '', cell])))
}

t.test('the four rows of the README have the figures of the benchmark', (t) => {
  const measured = rowsOf('bench/results/README.md', /^\|\s*\|\s*failed\s*\|/)
  const peers = {
    'middy-bounded-sqs-batch': /^middy/,
    'Promise.allSettled()': /^Middy idiom/,
    Powertools: /^Powertools/,
    'p-map': /^p-map/,
  }
  const shown = rowsOf('README.md', /^\| a batch of 10,000 records/)
  t.equal(shown.length, 4)
  for (const [index, [name, peer]] of Object.entries(peers).entries()) {
    const [label = '', failed, seconds, memory] = [...(shown[index]?.values() ?? [])]
    t.ok(label.startsWith(name), label)
    const row = measured.find((row) => peer.test(row.get('') ?? ''))
    t.strictSame(
      [failed?.replace(' (EMFILE)', ''), seconds, memory],
      [row?.get('failed'), row?.get('seconds'), `${row?.get('peak MB')} MB`],
      name,
    )
  }
  t.end()
})
