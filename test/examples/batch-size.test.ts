/** The table of docs/batch-size.md has the figures of the model. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { batchesOf, MOST_RECORDS } from '../support/batch-model.ts'

const page = readFileSync(new URL('../../docs/batch-size.md', import.meta.url), 'utf8')

const dollars = (cost: number) => `$${cost.toFixed(2)}`
const grouped = (value: number) => value.toLocaleString('en-US')
const rounded = (value: number) => grouped(Number(value.toPrecision(2)))

t.test('docs/batch-size.md: each row is computed with the prices of tune', async (t) => {
  for (const records of [10, 100, 1_000, 10_000]) {
    const fitting = Math.min(records, MOST_RECORDS)
    const usual = batchesOf(fitting, { mean: 100, p99: 400 })
    const varied = batchesOf(fitting, { mean: 100, p99: 1_000 })
    const cells = [
      fitting === records ? grouped(records) : `${grouped(records)} (${grouped(fitting)} fit into 6 MB)`,
      dollars(usual.cost),
      dollars(varied.cost),
      rounded(usual.perSecond),
      grouped(fitting - 1),
    ]
    const row = `| ${cells.join(' | ')} |`
    t.ok(page.split('\n').includes(row), row)
  }
})

t.test('docs/batch-size.md: the table has no other rows, and the share of SQS is right', async (t) => {
  const [, rows = ''] = /^\| records in a batch \|.*\n\|[-:| ]+\n((?:\|.*\n)+)/m.exec(page) ?? []
  t.equal(rows.trim().split('\n').length, 4)
  // Without time, only the calls of SQS and the requests of Lambda cost something. These are next to nothing here.
  const { cost } = batchesOf(MOST_RECORDS, { mean: 1e-6, p99: 2e-6 }, 0)
  t.ok(page.includes(`SQS is ${dollars(cost)} of each cost`), dollars(cost))
})
