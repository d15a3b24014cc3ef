import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ledger } from 'bounded-sqs-batch/engine'
import type { Test } from 'tap'

interface Row {
  scenario: string
  faults: string
  messages: number
  processed: number
  processedTwice: number
  deadLettered: number
  lost: number
  deliveredAgain: number
}

interface Outcome {
  scenario: string
  faults: string
  /** How many messages the scenario has. */
  messages: number
  ledger: Ledger
  /** The numbers of the messages that the downstream accepted. */
  accepted: readonly number[]
  /** The numbers of the messages in the dead-letter queue. */
  deadLetters?: readonly number[]
}

const rows: Row[] = []

/** The numbers from 1 to `messages` that pass the test. */
export function numbers(messages: number, test: (number: number) => boolean = () => true): number[] {
  return Array.from({ length: messages }, (_, index) => index + 1).filter(test)
}

/** Checks that every message was processed or dead-lettered, and that the ledger agrees. Adds a row to the table. */
export function account(t: Test, { scenario, faults, messages, ledger, accepted, deadLetters = [] }: Outcome) {
  const times = new Map<number, number>()
  for (const number of accepted) times.set(number, (times.get(number) ?? 0) + 1)
  const all = numbers(messages)
  const inDeadLetters = new Set(deadLetters)
  const row: Row = {
    scenario,
    faults,
    messages,
    processed: times.size,
    processedTwice: accepted.length - times.size,
    deadLettered: deadLetters.length,
    lost: all.filter((number) => !times.has(number) && !inDeadLetters.has(number)).length,
    deliveredAgain: ledger.redelivered,
  }
  rows.push(row)
  console.error(
    `${scenario}: ${row.messages} messages, ${row.processed} processed, ${row.processedTwice} of them twice, ` +
      `${row.deadLettered} dead-lettered, ${row.lost} lost, ${row.deliveredAgain} redelivered (${(ledger.wallMs / 1000).toFixed(1)} s)`,
  )
  t.equal(row.lost, 0, 'no message is lost')
  t.equal(inDeadLetters.size, deadLetters.length, 'no message is dead-lettered twice')
  t.notOk(
    deadLetters.some((number) => times.has(number)),
    'no message is both processed and dead-lettered',
  )
  t.match(
    ledger,
    {
      sent: messages,
      processed: row.processed,
      deadLettered: row.deadLettered,
      delivered: row.messages + row.deliveredAgain,
      remaining: 0,
      lost: 0,
    },
    'the ledger agrees with the downstream and the queues',
  )
  return row
}

const PAGE = join(import.meta.dirname, '../../bench/results/reliability.md')
const BETWEEN_THE_MARKERS = /(?<=<!-- tried -->\n)[\s\S]*?(?=<!-- \/tried -->)/

/** Prints the table. With WRITE_DOCS=1 it is also written into bench/results/reliability.md. */
export function showTable(): void {
  const head = [
    'scenario',
    'faults',
    'messages',
    'processed',
    'processed twice',
    'dead-lettered',
    'lost',
    'redelivered',
  ]
  const cells = rows.map(({ scenario, faults, ...row }) => {
    const counts = [row.messages, row.processed, row.processedTwice, row.deadLettered, row.lost, row.deliveredAgain]
    return [scenario, faults, ...counts.map((count) => count.toLocaleString('en-US'))]
  })
  const lines = [head, head.map((_, index) => (index < 2 ? '---' : '---:')), ...cells]
  const table = lines.map((line) => `| ${line.join(' | ')} |\n`).join('')
  console.error(`\n${table}`)
  if (process.env.WRITE_DOCS === '1') {
    const page = readFileSync(PAGE, 'utf8')
    if (!BETWEEN_THE_MARKERS.test(page))
      throw new Error('Expected <!-- tried --> and <!-- /tried --> in bench/results/reliability.md')
    writeFileSync(
      PAGE,
      page.replace(BETWEEN_THE_MARKERS, () => table),
    )
  }
}
