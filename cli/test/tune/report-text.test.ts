import { test } from 'tap'
import { formatCost, formatFigure, formatShare, marksOf } from '../../src/tune/figures/format.ts'
import type { Combination } from '../../src/tune/figures/result.ts'
import { count, describeCost, describeCurve, describeGoodput } from '../../src/tune/report/chart-descriptions.ts'
import { html, scriptJson } from '../../src/tune/report/html.ts'
import { tuneResult } from '../support/tune-result.ts'

const combination: Combination = {
  memory: 512,
  concurrency: 60,
  goodput: 760.2,
  margin: 0.04,
  failedShare: 0,
  records: 12_000,
  p50: 77.4,
  p95: 99.8,
  cpuPerRecord: 0.366,
  peakMemory: 101,
  peakDescriptors: 268,
  costPerMillion: 0.124,
  origin: 'predicted',
}

test('a value in HTML is escaped, unless it is HTML', async (t) => {
  const value = `<b class="x" id='y'>&amp;</b>`
  const escaped = '&#60;b class=&#34;x&#34; id=&#39;y&#39;&#62;&#38;amp;&#60;/b&#62;'
  t.equal(html`<p title="${value}">${value}</p>`.text, `<p title="${escaped}">${escaped}</p>`)
  t.equal(
    html`<ul>${['<', '>'].map((text) => html`<li>${text}</li>`)}</ul>`.text,
    '<ul><li>&#60;</li>\n<li>&#62;</li></ul>',
  )
  t.equal(html`${7} \\ ${[]}`.text, '7 \\ ')
})

test('JSON in a script element cannot end the element, and keeps its value', async (t) => {
  const value = { text: '</script><!--<script>', list: [1, null] }
  const { text } = scriptJson(value)
  t.notMatch(text, '<')
  t.same(JSON.parse(text), value)
})

test('numbers have a thousands separator, and three digits if they are small', async (t) => {
  for (const [value, expected] of [
    [0, '0'],
    [0.012345, '0.0123'],
    [0.5, '0.5'],
    [12.345, '12.3'],
    [99.96, '100'],
    [100.4, '100'],
    [1811.9, '1,812'],
    [1_234_567, '1,234,567'],
    [null, '–'],
  ] as const) {
    t.equal(formatFigure(value), expected)
  }
})

test('a share is shown as 0 % or 100 % only if it is', async (t) => {
  for (const [value, expected] of [
    [0, '0 %'],
    [0.00001, '< 0.01 %'],
    [0.0001, '0.01 %'],
    [0.0123, '1.23 %'],
    [0.187, '18.7 %'],
    [0.9989, '99.9 %'],
    [0.9999, '> 99.9 %'],
    [1, '100 %'],
  ] as const) {
    t.equal(formatShare(value), expected)
  }
})

test('a cost has a dollar sign, and three digits below one dollar', async (t) => {
  for (const [value, expected] of [
    [null, '–'],
    [0, '$0.00'],
    [0.0123, '$0.0123'],
    [0.5, '$0.500'],
    [0.9999, '$1.00'],
    [12.3, '$12.30'],
    [1234.567, '$1,234.57'],
  ] as const) {
    t.equal(formatCost(value), expected)
  }
})

test('the marks of a combination', async (t) => {
  t.equal(marksOf(combination, null), '○')
  t.equal(marksOf(combination, { ...combination, concurrency: 61 }), '○')
  t.equal(marksOf(combination, { ...combination, memory: 513 }), '○')
  t.equal(marksOf({ ...combination, origin: 'confirmed' }, combination), '★✓')
  t.equal(marksOf({ ...combination, origin: 'measured', problem: 'no record succeeded' }, null), '✕●')
})

test('the descriptions of the charts', async (t) => {
  const unusable = {
    ...combination,
    concurrency: 80,
    goodput: 900,
    costPerMillion: 0.1,
    problem: 'the process needs 600 MB',
  }
  const equal = { ...combination, memory: 1024 }
  const none = { ...combination, concurrency: 1, goodput: 0, costPerMillion: null }
  for (const [combinations, goodput, cost] of [
    [
      [equal, unusable, combination, none],
      'The highest goodput is 760 records per second, with 512 MB and concurrency 60 (predicted), and with 1 other combination. 1 of 4 combinations cannot be used.',
      'The lowest cost is $0.124 per million messages, with 512 MB and concurrency 60 (predicted), and with 1 other combination. 1 of 4 combinations cannot be used.',
    ],
    [
      [{ ...combination, origin: 'measured' as const }],
      'The highest goodput is 760 records per second, with 512 MB and concurrency 60 (measured). Every combination can be used.',
      'The lowest cost is $0.124 per million messages, with 512 MB and concurrency 60 (measured). Every combination can be used.',
    ],
    [[unusable], 'No combination can be used.', 'No combination can be used.'],
    [[], 'No combination was tried.', 'No combination was tried.'],
  ] as const) {
    t.equal(describeGoodput(tuneResult({ combinations })), goodput)
    t.equal(describeCost(tuneResult({ combinations })), cost)
  }
  const { measurements: all } = tuneResult()
  for (const [measurements, expected] of [
    [
      all,
      'Without a CPU limit, the highest goodput is 1,812 records per second, at concurrency 80. The largest share of failed records is 56 %, at concurrency 400.',
    ],
    [
      all.slice(0, 1),
      'Without a CPU limit, the highest goodput is 246 records per second, at concurrency 10. No record failed.',
    ],
    [[], 'Nothing was measured.'],
  ] as const) {
    t.equal(describeCurve(tuneResult({ measurements })), expected)
  }
})

test('a count has a plural, except for 1', async (t) => {
  t.same(
    [0, 1, 1000].map((number) => count(number, 'record')),
    ['0 records', '1 record', '1,000 records'],
  )
})
