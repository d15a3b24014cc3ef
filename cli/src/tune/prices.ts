export const PRICES_OF = 'us-east-1, November 2026'
/**
 * The prices of us-east-1 on 25 November 2026, in dollars: the first tier, without the free tier, for x86_64. They are
 * listed at https://aws.amazon.com/lambda/pricing/ and https://aws.amazon.com/sqs/pricing/.
 */
export const PRICES = { gbSecond: 0.0000166667, millionInvocations: 0.2, millionCalls: 0.4, millionFifoCalls: 0.5 }

/** SQS bills each 64 KB of a call as one request. A receive or delete call takes up to 10 messages. */
const BILLED_BYTES = 64 * 1024
const CALL_SIZE = 10

export interface Workload {
  readonly environments: number
  readonly batchSize: number
  /** The mean size of a body. */
  readonly bodyBytes: number
  readonly fifo: boolean
  /** Of the function, in seconds. */
  readonly timeout: number
}

/**
 * What it costs until a million messages have succeeded, in dollars. This includes the duration and the requests of the
 * invocations, and the calls that receive and delete messages. A failed message is delivered again, so its deliveries
 * are included, too. The sending of messages, empty receives and cold starts are not included.
 *
 * @param goodput successful records per second, of all environments together
 * @returns `null` if no record succeeds
 */
export function costPerMillion(
  memory: number,
  goodput: number,
  failedShare: number,
  { environments, batchSize, bodyBytes, fifo }: Workload,
): number | null {
  const succeededShare = 1 - failedShare
  if (!(goodput > 0 && succeededShare > 0)) return null
  const succeeded = batchSize * succeededShare
  const invocations = 1_000_000 / succeeded
  // Lambda rounds each duration up to the next millisecond. With 9 digits, the rounding error of the division is gone.
  const milliseconds = Math.ceil(Number(((1000 * succeeded * environments) / goodput).toPrecision(9)))
  const duration = ((invocations * milliseconds) / 1000) * (memory / 1024) * PRICES.gbSecond
  const requests = (invocations / 1_000_000) * PRICES.millionInvocations
  const messagesPerCall = Math.min(CALL_SIZE, batchSize)
  const billedPerReceive = Math.max(1, Math.ceil((messagesPerCall * bodyBytes) / BILLED_BYTES))
  const sqs = (billedPerReceive / succeededShare + 1) / messagesPerCall
  return duration + requests + sqs * (fifo ? PRICES.millionFifoCalls : PRICES.millionCalls)
}
