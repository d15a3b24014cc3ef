// Two invocations of one process: `node overlap.ts '{"peer":…,"task":…}'` prints milliseconds.
import { setTimeout as pause } from 'node:timers/promises'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, measured, sqsEvent } from '../sqs-event.ts'
import type { Costs } from './calls.ts'

const SIZE = 5_000
const WARM_UP = 10
const RUNS = 20
const { peer, task } = JSON.parse(process.argv[2] as string)
const { Records } = sqsEvent(2 * SIZE + 1)
const batch = JSON.stringify({ Records: Records.slice(0, SIZE) })
const secondBatch = JSON.stringify({ Records: Records.slice(SIZE, 2 * SIZE) })
const single = JSON.stringify({ Records: Records.slice(2 * SIZE) })
const waitingId = Records.at(-1)?.messageId
const invocations = { alone: [batch], beside: [single, batch] }[task as string] ?? [batch, secondBatch]
const cpu: number[] = []
const time: number[] = []
let ran: string[] = []
let batchEnded = Promise.withResolvers<void>()

async function handle({ messageId }: SQSRecord) {
  if (messageId === waitingId) await batchEnded.promise
  else await new Promise(setImmediate)
  ran.push(messageId)
  if (ran.length === SIZE) batchEnded.resolve()
}

const handler = await peers[peer as NodePeer](handle, 100)
const invoke = (event: SQSEvent) => handler(event, context)
for (let run = 0; run < WARM_UP + RUNS; run++) {
  const events = invocations.map((text) => JSON.parse(text))
  ran = []
  batchEnded = Promise.withResolvers()
  await pause(4)
  const cost = await measured(async () =>
    task === 'apart' ? [await invoke(events[0]), await invoke(events[1])] : Promise.all(events.map(invoke)),
  )
  time.push(cost.time)
  cpu.push(cost.cpu)
  const batchItemFailures = cost.response.flatMap((response) => response.batchItemFailures)
  assertExact({ Records: events.flatMap((event) => event.Records) }, { ran, failed: [] }, { batchItemFailures })
}
console.log(JSON.stringify({ cpu: cpu.slice(WARM_UP), time: time.slice(WARM_UP) } satisfies Costs))
