export const PRICES_OF = 'us-east-1, November 2026'
/** In dollars, the first tier, for x86_64: https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/sqs/pricing/. */
export const PRICES = { gbSecond: 0.0000166667, millionInvocations: 0.2, millionCalls: 0.4, millionFifoCalls: 0.5 }

/** SQS bills each 64 KB of a call as one request. A receive or delete call takes up to 10 messages. */
const BILLED_BYTES = 64 * 1024
const CALL_SIZE = 10

export interface Workload {
  readonly environments: number
  /** How many environments the template allows. Missing if that is not known. */
  readonly maximumConcurrency?: number | undefined
  readonly batchSize: number
  /** The mean size of a body. */
  readonly bodyBytes: number
  readonly fifo: boolean
  /** Of the function, in seconds. */
  readonly timeout: number
}

/**
 * What it costs until a million messages have succeeded, in dollars: the duration and the requests of the invocations,
 * and the calls that receive and delete messages, also of those that are delivered again. Without the sending of
 * messages, empty receives and cold starts. `null` if no record succeeds.
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
