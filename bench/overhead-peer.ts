// One peer in a process of its own, since what V8 makes of one peer's code depends on the others that it has seen.
// `node --expose-gc overhead-peer.ts <peer>` answers every task that it is sent with microseconds a record.
import assert from 'node:assert/strict'
import type { SQSBatchResponse } from 'aws-lambda'
import { type NodePeer, peers } from './peers.ts'
import { assertReported } from './reported.ts'
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
  let failed: string[] = []
  const handler = peers[name](async ({ messageId }) => {
    ran++
    if (failEvery > 0 && ran % failEvery === 0) {
      failed.push(messageId)
      throw new Error('no such article')
    }
  }, CONCURRENCY)
  // What a peer logs of its failures costs time in its code; where it goes to would cost far more, and is not the peer's.
  console.error = () => {}
  const events = new Map<number, ReturnType<typeof sqsEvent>>()

  process.on('message', async (task: Task) => {
    const { size } = task
    const event = events.get(size) ?? sqsEvent(size)
    events.set(size, event)
    const responses: SQSBatchResponse[] = new Array(RECORDS_A_SAMPLE / size)
    const failedByBatch = Array.from(responses, (): string[] => [])
    failEvery = task.failEvery
    ran = 0
    gc?.({ type: 'minor' })
    const start = performance.now()
    for (let batch = 0; batch < responses.length; batch++) {
      failed = failedByBatch[batch] as string[]
      responses[batch] = await handler(event, context)
    }
    const elapsed = performance.now() - start

    assert.equal(ran, RECORDS_A_SAMPLE, 'every record ran once')
    assert.equal(failedByBatch.flat().length, failEvery > 0 ? Math.floor(ran / failEvery) : 0)
    for (const [batch, response] of responses.entries()) assertReported(response, failedByBatch[batch] as string[])
    process.send?.((1_000 * elapsed) / ran)
  })
}

if (import.meta.main) listen(process.argv[2] as NodePeer)
