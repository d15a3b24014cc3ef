// What a batch costs beyond the handlers: records that do nothing, by each peer. `--gate` makes a miss an error.
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { type PeerName, peerNames, peers } from './peers.ts'
import { median, rotated } from './rounds.ts'
import { context, sqsEvent } from './sqs-event.ts'

const SIZES = [10, 100, 1_000, 10_000]
const WARM_UP = 5
const ROUNDS = 25
const RECORDS_A_SAMPLE = 20_000
/** Of Powertools' time for 10,000 records. */
const GATE = 0.5

const { values: options } = parseArgs({ options: { gate: { type: 'boolean', default: false } } })

let ran = 0
const handle = async () => {
  ran++
}
const handlers = Object.fromEntries(peerNames.map((name) => [name, peers[name](handle)]))

/** Microseconds a record, over as many batches of this size as make up a sample. */
async function sample(name: PeerName, size: number): Promise<number> {
  const handler = handlers[name] as (typeof handlers)[string]
  const event = sqsEvent(size)
  const batches = RECORDS_A_SAMPLE / size
  const responses = new Array(batches)
  ran = 0
  const start = performance.now()
  for (let batch = 0; batch < batches; batch++) responses[batch] = await handler(event, context)
  const elapsed = performance.now() - start
  if (ran !== RECORDS_A_SAMPLE || responses.some(({ batchItemFailures }) => batchItemFailures.length !== 0)) {
    throw new Error(`${name} did not do its work: ${ran} of ${RECORDS_A_SAMPLE} records ran`)
  }
  return (1_000 * elapsed) / RECORDS_A_SAMPLE
}

async function measure(size: number): Promise<Record<PeerName, number>> {
  const samples = Object.fromEntries(peerNames.map((name) => [name, [] as number[]])) as Record<PeerName, number[]>
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const name of rotated(round + WARM_UP)) {
      const time = await sample(name, size)
      if (round >= 0) samples[name].push(time)
    }
  }
  return Object.fromEntries(peerNames.map((name) => [name, median(samples[name])])) as Record<PeerName, number>
}

const table = new Table({
  head: ['records', ...peerNames, '÷ Middy idiom', '÷ Powertools'],
  colAligns: Array.from({ length: peerNames.length + 3 }, () => 'right' as const),
  style: { head: [], border: [] },
})
let ratioOfLargest = Number.NaN
for (const size of SIZES) {
  const times = await measure(size)
  const ours = times['middy-bounded-sqs-batch']
  ratioOfLargest = ours / times.Powertools
  table.push([
    size.toLocaleString('en'),
    ...peerNames.map((name) => times[name].toFixed(3)),
    (ours / times['Middy idiom']).toFixed(2),
    ratioOfLargest.toFixed(2),
  ])
}
console.log(`µs a record that does nothing: medians of ${ROUNDS} rounds, Node ${process.versions.node}`)
console.log(table.toString())

if (options.gate && !(ratioOfLargest <= GATE)) {
  console.error(`10,000 records take ${ratioOfLargest.toFixed(2)} × Powertools' time; at most ${GATE} is allowed`)
  process.exitCode = 1
}
