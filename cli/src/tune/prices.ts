import { UsageError } from '../shared/errors.ts'

/** Dollars. */
interface Prices {
  /** Per GB-second of Lambda. */
  readonly gbSecond: number
  /** Per million requests of Lambda. */
  readonly requests: number
  /** Per million requests of SQS. */
  readonly sqs: number
}

export type Arch = 'x86_64' | 'arm64'

/**
 * The prices of us-east-1 on 25 November 2026: the first tier, without the free tier. They are listed at
 * https://aws.amazon.com/lambda/pricing/ and https://aws.amazon.com/sqs/pricing/.
 */
const GB_SECOND: Readonly<Record<Arch, number>> = { x86_64: 0.0000166667, arm64: 0.0000133334 }
const REQUESTS = 0.2
const SQS = { standard: 0.4, fifo: 0.5 }
export const PRICES_OF = 'us-east-1, November 2026'

const NAMES = new Map<string, keyof Prices>([
  ['gb-second', 'gbSecond'],
  ['requests', 'requests'],
  ['sqs', 'sqs'],
])

export function pricesFor(arch: Arch, fifo: boolean, given: readonly string[] = []): Prices {
  const defaultPrices = { gbSecond: GB_SECOND[arch], requests: REQUESTS, sqs: fifo ? SQS.fifo : SQS.standard }
  return Object.assign(defaultPrices, ...given.map(readPrice))
}

function readPrice(text: string): Partial<Prices> {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/.exec(text) ?? []
  const key = NAMES.get(name)
  const dollars = value.trim() === '' ? Number.NaN : Number(value)
  if (key !== undefined && dollars >= 0 && Number.isFinite(dollars)) return { [key]: dollars }
  throw new UsageError(
    `--price ${text} is not a price: write NAME=DOLLARS. NAME is gb-second, requests (per million) or sqs (per million requests)`,
  )
}

/** SQS bills each 64 KB of a call as one request. A receive or delete call takes up to 10 messages. */
const BILLED_BYTES = 64 * 1024
const CALL_SIZE = 10

export interface Workload {
  readonly environments: number
  readonly batchSize: number
  /** The mean size of a body. */
  readonly bodyBytes: number
  readonly prices: Prices
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
  { environments, batchSize, bodyBytes, prices }: Workload,
): number | null {
  const succeededShare = 1 - failedShare
  if (!(goodput > 0 && succeededShare > 0)) return null
  const succeeded = batchSize * succeededShare
  const invocations = 1_000_000 / succeeded
  // Lambda rounds each duration up to the next millisecond. With 9 digits, the rounding error of the division is gone.
  const milliseconds = Math.ceil(Number(((1000 * succeeded * environments) / goodput).toPrecision(9)))
  const duration = ((invocations * milliseconds) / 1000) * (memory / 1024) * prices.gbSecond
  const requests = (invocations / 1_000_000) * prices.requests
  const messagesPerCall = Math.min(CALL_SIZE, batchSize)
  const billedPerReceive = Math.max(1, Math.ceil((messagesPerCall * bodyBytes) / BILLED_BYTES))
  const sqs = (billedPerReceive / succeededShare + 1) / messagesPerCall
  return duration + requests + sqs * prices.sqs
}
