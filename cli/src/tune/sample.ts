import { createHash, randomUUID } from 'node:crypto'
import { MAX_PAYLOAD_BYTES } from '../local/simulator/gather.ts'
import type { InputMessage } from '../local/simulator/messages.ts'
import { type Received, toReceived } from '../local/simulator/sqs-record.ts'
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
    /** The mean size of a body. */
    bodyBytes: mean(messages.map(({ body }) => Buffer.byteLength(body))),
  }
}

function toRecord({ body, messageGroupId, messageAttributes }: InputMessage, arn: string, fifo: boolean): Received {
  const now = String(Date.now())
  const message = {
    MessageId: randomUUID(),
    ReceiptHandle: randomUUID(),
    Body: body,
    MD5OfBody: createHash('md5').update(body).digest('hex'),
    Attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: now,
      SenderId: 'tune',
      ApproximateFirstReceiveTimestamp: now,
      ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
      ...(fifo ? { MessageDeduplicationId: randomUUID(), SequenceNumber: now.padStart(20, '0') } : {}),
    },
    ...(messageAttributes === undefined ? {} : { MessageAttributes: messageAttributes }),
  }
  return toReceived(message, arn)
}
