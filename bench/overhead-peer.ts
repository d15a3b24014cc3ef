// One peer in a process of its own, since what V8 makes of one peer's code depends on the others that it has seen.
// `node --expose-gc overhead-peer.ts <peer>` answers every task that it is sent with microseconds a record.
import { type NodePeer, peers } from './peers.ts'
import { context, sqsEvent } from './sqs-event.ts'

export interface Task {
  readonly size: number
  /** Every so manieth record fails; 0 for none. */
  readonly failEvery: number
}

export const RECORDS_A_SAMPLE = 50_000
export const CONCURRENCY = 100

function listen(name: NodePeer): void {
  let ran = 0
  let failEvery = 0
  const handler = peers[name](async () => {
    ran++
    if (failEvery > 0 && ran % failEvery === 0) throw new Error('no such article')
  }, CONCURRENCY)
  // What a peer logs of its failures costs time in its code; where it goes to would cost far more, and is not the peer's.
  console.error = () => {}
  const events = new Map<number, ReturnType<typeof sqsEvent>>()

  process.on('message', async (task: Task) => {
    const { size } = task
    const event = events.get(size) ?? sqsEvent(size)
    events.set(size, event)
    const responses = new Array(RECORDS_A_SAMPLE / size)
    failEvery = task.failEvery
    ran = 0
    gc?.({ type: 'minor' })
    const start = performance.now()
    for (let batch = 0; batch < responses.length; batch++) responses[batch] = await handler(event, context)
    const elapsed = performance.now() - start

    const failed = responses.reduce((sum, { batchItemFailures }) => sum + batchItemFailures.length, 0)
    const expected = failEvery > 0 ? Math.floor(RECORDS_A_SAMPLE / failEvery) : 0
    if (ran !== RECORDS_A_SAMPLE || failed !== expected) {
      throw new Error(`${name}: ${ran} of ${RECORDS_A_SAMPLE} records ran, ${failed} of ${expected} were reported`)
    }
    process.send?.((1_000 * elapsed) / ran)
  })
}

if (import.meta.main) listen(process.argv[2] as NodePeer)
