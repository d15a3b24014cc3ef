// One peer, once: `node --expose-gc heap-client.ts <peer>` prints the bytes that live in the middle of a batch.
import { type NodePeer, peers } from './peers.ts'
import { context, sqsEvent } from './sqs-event.ts'

const SIZE = 10_000
let finished = 0
let bytes = Number.NaN

const collected = () => {
  gc?.()
  return process.memoryUsage().heapUsed
}
const handle = async () => {
  await new Promise((resolve) => setTimeout(resolve, 1))
  finished++
  if (finished === SIZE / 2) bytes = collected() - before
}
const handler = peers[process.argv[2] as NodePeer](handle, 100)

await handler(sqsEvent(100), context) // what is made once a process is no part of it
finished = 0
const event = sqsEvent(SIZE)
const before = collected()
const { batchItemFailures } = await handler(event, context)
if (finished !== SIZE || batchItemFailures.length > 0) throw new Error(`${finished} of ${SIZE} records ran`)
console.log(bytes)
