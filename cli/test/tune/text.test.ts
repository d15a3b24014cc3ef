import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'tap'
import { formatCost, formatDuration, formatFigure, formatList, formatShare } from '../../src/tune/format.ts'
import { renderResult } from '../../src/tune/text.ts'
import { measurement } from '../support/combinations.ts'
import { tuneResult } from '../support/tune-result.ts'

const PIPE = new PassThrough() as unknown as NodeJS.WriteStream
const TERMINAL = Object.assign(new PassThrough(), { isTTY: true, columns: 80 }) as unknown as NodeJS.WriteStream

test('failures are first, and the recommendation with its settings is last', async (t) => {
  const lines = renderResult(tuneResult({ growth: 20_000 }), PIPE).split('\n')
  t.equal(lines[0], 'Concurrency 79: 1,870 of 10,000 records failed: Error: downstream returned 503')
  const last = lines.slice(-6)
  t.match(last, [
    /^Warning: The memory grows by 20 kB a record: 256 MB are full after about 8,100 records\./,
    '',
    /^Recommendation: 256 MB and a concurrency of 40 in each of 2 environments: /,
    'MemorySize: 256',
    'BOUNDED_SQS_BATCH_CONCURRENCY: 40',
    'VisibilityTimeout: 185 # or more',
  ])
  t.ok(lines.includes('128 MB: 1,751 records/s, $0.0825 per million (predicted)') === false)
})

test('one table has a row for each concurrency, and a line for each memory size follows', async (t) => {
  const text = renderResult(tuneResult(), PIPE)
  t.equal(text.match(/┌/g)?.length, 1)
  const rows = text.split('\n').filter((line) => /^│ \d/.test(line))
  t.strictSame(
    rows.map((row) =>
      row
        .split('│')
        .map((cell) => cell.trim())
        .slice(1, -1),
    ),
    [
      ['5', '246', '246, 246', '0 %', '0.1', '81'],
      ['20', '962', '962, 962', '0 %', '0.1', '92'],
      ['40', '1,890', '1,803, 1,911', '0 %', '0.1', '102'],
      ['50', '1,874', '1,790, 1,907', '0 %', '0.1', '110'],
      ['79', '1,298', '1,298, 1,298', '18.7 %', '0.1', '168'],
    ],
  )
  const sizes = text.split('\n').filter((line) => /^[\d,]+ MB: /.test(line))
  t.match(sizes, [
    /^128 MB: \d/,
    /^256 MB: [\d,]+ records\/s, \$0\.\d{4} per million \(predicted\)$/,
    /^512 MB: /,
    /^1,024 MB: /,
    /^1,769 MB: 1,890 records\/s, .* \(measured\)$/,
  ])
})

test('the records that the handler received are counted', async (t) => {
  t.match(renderResult(tuneResult(), PIPE), '\nThe handler received 41,200 records, with the warm-up.\n')
  t.equal(tuneResult().delivered, 41_200)
})

test('without a recommendation, there are no settings', async (t) => {
  const text = renderResult(tuneResult({ measurements: [measurement({ problem: 'it died' })] }), PIPE)
  t.equal(text.split('\n').at(-1), 'Recommendation: No combination can be used: it died.')
  t.equal(
    renderResult(tuneResult({ measurements: [] }), PIPE),
    'The handler received 41,200 records, with the warm-up.\n\nRecommendation: No combination can be used: the time was over before the first round. Raise --time.',
  )
})

test('in a terminal, no line is longer than its 80 columns', async (t) => {
  const failures = measurement({
    concurrency: 19,
    failedShare: 0.4,
    causes: { [`Error: ${'refused '.repeat(30)}`]: 9 },
  })
  const measurements = [
    measurement({ goodput: 12_345, lowest: 11_111, highest: 13_333, failedShare: 0.00001 }),
    failures,
  ]
  const text = renderResult(tuneResult({ measurements, growth: 20_000 }), TERMINAL)
  const lines = stripVTControlCharacters(text).split('\n')
  t.ok(lines.length > 15)
  t.strictSame(
    lines.filter((line) => line.length > 80),
    [],
  )
})

test('formats of figures', async (t) => {
  t.strictSame([12_345.6, 99.94, 12.34, 0.01234, null].map(formatFigure), ['12,346', '99.9', '12.3', '0.0123', '–'])
  t.strictSame([0, 0.00001, 0.187, 0.9999, 1].map(formatShare), ['0 %', '< 0.01 %', '18.7 %', '> 99.9 %', '100 %'])
  t.strictSame([0.0847, 12.345, null].map(formatCost), ['$0.0847', '$12.35', '–'])
  t.strictSame([0, 45_400, 60_000, 200_000, 3_600_000, -5].map(formatDuration), [
    '0 s',
    '45 s',
    '1 min',
    '3 min 20 s',
    '60 min',
    '0 s',
  ])
  t.strictSame([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(formatList), ['', 'a', 'a and b', 'a, b and c'])
})
