// Ten records of ten message groups, 10 ms each: groups need not wait for each other.
import { processPartialResponse, SqsFifoPartialProcessorAsync } from '@aws-lambda-powertools/batch'
import { type BatchHandler, OURS, peers, type RecordHandler } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'
import { context, sqsEvent } from './sqs-event.ts'

const SIZE = 10

/** Milliseconds a batch. */
export async function measureFifo(isShort: boolean): Promise<{ samples: Samples }> {
  let ran = 0
  const handle: RecordHandler = async () => {
    await new Promise((resolve) => setTimeout(resolve, 10))
    ran++
  }
  const processor = new SqsFifoPartialProcessorAsync()
  const handlers: Record<string, BatchHandler> = {
    [OURS]: peers[OURS](handle, 100),
    Powertools: (event, context) =>
      processPartialResponse(event, handle, processor, { context, throwOnFullBatchFailure: false }),
  }
  const event = sqsEvent(SIZE, SIZE)
  const options = { rounds: isShort ? 7 : 31, warmUp: 2, title: 'FIFO' }
  const samples = await inRounds(Object.keys(handlers), options, async (name) => {
    ran = 0
    const start = performance.now()
    const response = await handlers[name]?.(event, context)
    const elapsed = performance.now() - start
    if (ran !== SIZE || response?.batchItemFailures.length !== 0) throw new Error(`${name}: ${ran} of ${SIZE} ran`)
    return elapsed
  })
  return { samples }
}
