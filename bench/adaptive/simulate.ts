import { median } from '../rounds.ts'
import { about, bucket, flaky, open, queueing, refusing } from './downstreams.ts'
import { adaptiveLimiter, type Comparison, compare, INITIAL, MIN, shareDownstream } from './evaluate.ts'
import { DOWNSTREAMS, EARLIER_UNSEEN, HARD_CASES, UNSEEN } from './scenarios.ts'
import { type Downstream, failedShare, goodput, simulate } from './simulator.ts'

/** How many batches of each size one environment runs. */
const BATCHES: Readonly<Record<number, number>> = { 7000: 4, 1000: 10, 100: 60 }

/** Prints how the adaptive limit compares with fixed numbers, on simulated downstreams. */
export function printSimulation(): void {
  console.log(
    `Goodput ÷ goodput of the best fixed number. fixed ${INITIAL}: the number that the search starts with.\n` +
      'cold: the first batch. warm: the second half of the batches. all: all batches. worst: the worst batch of the\n' +
      'second half. failed: the share of the records that failed.',
  )
  printComparisons('Batches of 7,000', DOWNSTREAMS, 7000)
  for (const records of [7000, 1000, 100]) {
    printComparisons(`Added after the parameters were chosen, batches of ${records}`, EARLIER_UNSEEN, records)
    printComparisons(`Added after all changes of the search, batches of ${records}`, UNSEEN, records)
  }
  for (const records of [7000, 1000, 100]) printComparisons(`Hard cases, batches of ${records}`, HARD_CASES, records)
  printFlaky()
  printThrottled()
  printLowCapacity()
  printSteps('refuses', refusing)
  printSteps('queues', queueing)
  printShared()
}

function printComparisons(title: string, downstreams: Readonly<Record<string, Downstream>>, records: number): void {
  const batches = Array(BATCHES[records]).fill(records)
  const rows = Object.entries(downstreams).map(([name, downstream]) => compare(name, downstream, batches))
  console.log(`\n${title}\n\n${tableOf(rows)}`)
  function summary(key: 'cold' | 'warm') {
    const values = rows.map((row) => row[key])
    return `${key}: worst ${ratio(Math.min(...values))}, median ${ratio(median(values))}`
  }
  console.log(`\n${summary('cold')}; ${summary('warm')}`)
}

/** A Markdown table. */
export function tableOf(rows: readonly Comparison[]): string {
  const header = [
    'downstream',
    'best',
    `fixed ${INITIAL}`,
    'cold',
    'warm',
    'all',
    'worst',
    'failed cold',
    'failed warm',
  ]
  const lines = rows.map(({ name, best, initial, cold, warm, all, worst, coldFailed, warmFailed }) => [
    name,
    String(best.limit),
    `${ratio(initial.goodput / best.goodput)}${initial.failed > 0.01 ? ` (${percent(initial.failed)} failed)` : ''}`,
    ...[cold, warm, all, worst].map(ratio),
    percent(coldFailed),
    percent(warmFailed),
  ])
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function printFlaky(): void {
  console.log('\nA share of the calls gets a 503. Queue 400 × 60 ms, goodput of the third batch of 7,000 ÷ fixed 400')
  for (const share of [0.002, 0.01, 0.03, 0.1]) {
    const downstream = flaky(share, queueing(400, about(60)))
    const third = simulate(downstream, adaptiveLimiter(), [7000, 7000, 7000], 1).slice(2)
    const fixed = simulate(downstream, { limit: 400 }, [7000, 7000, 7000], 1).slice(2)
    console.log(`  ${percent(share)}: ${ratio(goodput(third) / goodput(fixed))}, limit ${third[0]?.limit}`)
  }
}

function printThrottled(): void {
  console.log('\nA share of the calls gets a 429, at any load. Calls of 30 ms: seconds of the third batch of 2,000')
  for (const share of [0.01, 0.02, 0.03, 0.1]) {
    const downstream = flaky(share, open(about(30)), 'throttle')
    const values = [adaptiveLimiter(), adaptiveLimiter(1), { limit: INITIAL }].map((limiter) => {
      const third = simulate(downstream, limiter, [2000, 2000, 2000], 1)[2]
      return ((third?.duration as number) / 1000).toFixed(1)
    })
    console.log(`  ${percent(share)}: ${values[0]}, with min 1 ${values[1]}, with a fixed ${INITIAL} ${values[2]}`)
  }
}

/** Downstreams that can serve fewer calls than the minimum limits of all environments allow. */
function printLowCapacity(): void {
  console.log('\nToo small for the minimum limit: records that failed, in batches of 2,000')
  for (const [name, downstream, environments] of [
    ['refuse above 4, 20 ms', refusing(4, about(20)), 1],
    ['refuse above 8, 20 ms', refusing(8, about(20)), 1],
    ['refuse above 53, 17 ms, eight environments', refusing(53, about(17)), 8],
    ['bucket 500/s, 20 ms, eight environments', bucket(500, 50, about(20)), 8],
  ] as const) {
    const [usual, low] = [MIN, 1].map((min) => {
      const limiters = Array.from({ length: environments }, () => adaptiveLimiter(min))
      return percent(shareDownstream(downstream, limiters, Array(5).fill(2000), 3).failed)
    })
    console.log(`  ${name}: ${usual}, with min 1 ${low}`)
  }
}

function printSteps(verb: string, make: typeof refusing): void {
  console.log(`\nA downstream ${verb} calls above 200, but above 50 from 10 s to 40 s: 60 ms, batches of 2,000`)
  const capacity = (now: number) => (now < 10_000 || now >= 40_000 ? 200 : 50)
  const results = simulate(make(capacity, about(60)), adaptiveLimiter(), Array(60).fill(2000), 1)
  let end = 0
  for (const [index, result] of results.entries()) {
    end += result.duration + 20
    if (index % 3 > 0) continue
    const ideal = (1000 * capacity(end)) / 60
    const values = [ratio(goodput([result]) / ideal), percent(failedShare([result]))]
    console.log(`  ${(end / 1000).toFixed(1)} s: ${values[0]} of the ideal, ${values[1]} failed, limit ${result.limit}`)
  }
}

function printShared(): void {
  console.log('\nEight environments on one downstream of 400 × 60 ms, batches of 7,000')
  for (const [verb, make] of Object.entries({ refuses: refusing, queues: queueing })) {
    const limiters = Array.from({ length: 8 }, () => adaptiveLimiter())
    const result = shareDownstream(make(400, about(60)), limiters, [7000, 7000, 7000], 3)
    const limits = limiters.map(({ limit }) => limit).join(', ')
    console.log(
      `  ${verb}: ${ratio(result.goodput / (400 / 0.06))} of the ideal, ${percent(result.failed)} failed, ` +
        `fairness ${ratio(result.fairness)}, limits ${limits}`,
    )
  }
}

function ratio(value: number): string {
  return value.toFixed(2)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
