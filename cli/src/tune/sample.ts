import { randomUUID } from 'node:crypto'
import { createMessage, toMessage } from '../local/queue/memory-queue.ts'
import { type InputMessage, toEntry } from '../local/queue/messages-file.ts'
import { MAX_PAYLOAD_BYTES, type Received, toReceived } from '../local/queue/sqs-record.ts'
import { mean } from './statistics.ts'

export type Sample = ReturnType<typeof createSample>

const ARN = 'arn:aws:sqs:us-east-1:000000000000:tune'

/**
 * Makes batches from the messages of a sample, and repeats the sample as often as necessary. Each record has a new id,
 * because handlers may skip messages that they have already processed.
 */
export function createSample(messages: readonly InputMessage[], batchSize: number, fifo: boolean) {
  const arn = fifo ? `${ARN}.fifo` : ARN
  const records = messages.map((message) => toRecord(message, arn, fifo))
  const fits = Math.floor(MAX_PAYLOAD_BYTES / mean(records.map(({ bytes }) => bytes)))
  const size = Math.max(1, Math.min(batchSize, fits))
  let next = 0

  /** The next batch. It has fewer records if these messages are larger than average and do not fit into an event. */
  function batch(maxRecords = size): Received[] {
    const taken: Received[] = []
    let bytes = 0
    while (taken.length < Math.min(size, maxRecords)) {
      const record = toRecord(messages[next % messages.length] as InputMessage, arn, fifo)
      bytes += record.bytes
      if (taken.length > 0 && bytes > MAX_PAYLOAD_BYTES) break
      taken.push(record)
      next += 1
    }
    return taken
  }
  return {
    batch,
    /** The maximum number of records in a batch: the wanted number, or as many as fit into an event on average. */
    batchSize: size,
    /** How many records were taken. */
    delivered: () => next,
    /** The mean size of a body. */
    bodyBytes: mean(messages.map(({ body }) => Buffer.byteLength(body))),
  }
}

/** A record with a new message id and deduplication id. */
function toRecord({ messageDeduplicationId, ...message }: InputMessage, arn: string, fifo: boolean): Received {
  const stored = createMessage(toEntry(message, 0, fifo))
  const sequenceNumber = fifo ? { sequenceNumber: String(stored.sentTimestamp).padStart(20, '0') } : {}
  const times = { receiveCount: 1, firstReceiveTimestamp: stored.sentTimestamp }
  const inFlight = { receiptHandle: randomUUID() }
  return toReceived(toMessage({ message: { ...stored, ...times, ...sequenceNumber }, ...inFlight }), arn)
}
