import { once } from 'node:events'
import type { Queue } from '../../cli/src/local/queue.ts'
import { type Received, toReceived } from '../../cli/src/local/sqs-record.ts'

const MOST_OF_A_GROUP = 4

/**
 * A FIFO queue in memory whose batches hold several messages of a group, in order, as those of SQS do; fauxqs hands out one
 * of a group at a time. What fails goes back to the front of its group, of which nothing is handed out before.
 */
export const openGroupedQueue = (count: number, groups: number) => {
  const waiting = new Map<string, number[]>()
  const inFlight = new Map<string, number>()
  const receives = new Map<number, number>()
  const changes = new EventTarget()
  const emptied = new AbortController()
  const groupOf = (number: number) => `group-${number % groups}`
  const numberOf = ({ messageId }: Received) => Number(messageId.slice('message-'.length))
  for (let number = 1; number <= count; number++) {
    const group = groupOf(number)
    waiting.set(group, [...(waiting.get(group) ?? []), number])
  }
  let left = count

  const take = (max: number) => {
    const taken: number[] = []
    for (const [group, numbers] of [...waiting]) {
      if (taken.length === max) break
      if (inFlight.get(group)) continue
      const some = numbers.splice(0, Math.min(MOST_OF_A_GROUP, max - taken.length))
      inFlight.set(group, some.length)
      taken.push(...some)
      waiting.delete(group) // to the end of the line
      waiting.set(group, numbers)
    }
    return taken
  }

  const land = (batch: readonly Received[]) => {
    for (const message of batch) {
      const group = groupOf(numberOf(message))
      inFlight.set(group, (inFlight.get(group) ?? 0) - 1)
    }
    if (left === 0) emptied.abort()
    changes.dispatchEvent(new Event('change'))
    return []
  }

  const receive = async (max: number): Promise<Received[]> => {
    const taken = take(max)
    if (taken.length === 0 && left > 0) {
      await once(changes, 'change')
      return receive(max)
    }
    return taken.map((number) => {
      const receiveCount = (receives.get(number) ?? 0) + 1
      receives.set(number, receiveCount)
      const message = {
        MessageId: `message-${number}`,
        ReceiptHandle: `receipt-${number}`,
        Body: JSON.stringify({ number }),
        Attributes: { ApproximateReceiveCount: String(receiveCount), MessageGroupId: groupOf(number) },
      }
      return toReceived(message, 'arn:aws:sqs:us-east-1:000000000000:orders.fifo')
    })
  }

  const queue: Pick<Queue, 'fifo' | 'visibilityTimeout' | 'receive' | 'remove' | 'setVisibility'> = {
    fifo: true,
    visibilityTimeout: 60,
    receive,
    remove: async (batch) => {
      left -= batch.length
      return land(batch)
    },
    setVisibility: async (batch) => {
      for (const message of batch.toReversed()) waiting.get(groupOf(numberOf(message)))?.unshift(numberOf(message))
      return land(batch)
    },
  }
  return {
    queue: queue as Queue,
    ids: () => Array.from({ length: count }, (_, index) => `message-${index + 1}`),
    left: () => left,
    emptied: emptied.signal,
  }
}
