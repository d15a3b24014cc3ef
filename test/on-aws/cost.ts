import { PRICES, PRICES_OF } from '../../cli/src/tune/prices.ts'
import { MAX_RECEIVES, MEMORY, setups, TIMEOUT } from './template.ts'

export { PRICES_OF }

export interface Cost {
  readonly what: string
  readonly amount: number
  /** Of one. */
  readonly dollars: number
}

const MILLION = 1_000_000
/** The functions have the architecture arm64. */
const GB_SECOND = 0.0000133334
/** CloudWatch bills metrics and alarms by the hour of a month. A run can be in two hours. */
const TWO_HOURS = 2 / 730

/** The prices of CloudWatch in us-east-1, from https://aws.amazon.com/cloudwatch/pricing/. */
const METRIC_MONTH = 0.3
const ALARM_MONTH = 0.1 // for each metric of the alarm
const LOG_GB = 0.5
const CALL = 0.01 / 1000

/** What a run costs at most, without the free tier. */
export function costs(): Cost[] {
  const sum = (of: (setup: (typeof setups)[number][1]) => number) =>
    setups.reduce((total, [, setup]) => total + of(setup), 0)
  const gbSeconds = sum(
    ({ invocations, timeout = TIMEOUT, memory = MEMORY }) => (invocations * timeout * memory) / 1024,
  )
  const mappings = sum(({ queue }) => (queue ? 1 : 0))
  const measured = sum(({ queue }) => (queue?.metrics ? 1 : 0))
  return [
    { what: 'GB-seconds of Lambda, if each invocation takes its whole timeout', amount: gbSeconds, dollars: GB_SECOND },
    {
      what: 'invocations',
      amount: sum(({ invocations }) => invocations),
      dollars: PRICES.millionInvocations / MILLION,
    },
    // Sent, deleted, dead-lettered; received and delayed in each delivery. Few messages are delivered more often.
    {
      what: 'calls of SQS, three for each message and two for each of its deliveries, of which mostly at most four count',
      amount: sum(({ queue }) =>
        queue ? queue.messages * (3 + 2 * (queue.deliveries ?? Math.min(queue.maxReceives ?? MAX_RECEIVES, 4))) : 0,
      ),
      dollars: PRICES.millionFifoCalls / MILLION,
    },
    // Five pollers of each mapping wait up to 20 s for messages.
    {
      what: 'calls of SQS for an hour without messages',
      amount: mappings * 5 * 180,
      dollars: PRICES.millionFifoCalls / MILLION,
    },
    { what: 'metrics of CloudWatch', amount: measured * 6, dollars: METRIC_MONTH * TWO_HOURS },
    { what: 'metrics of alarms', amount: measured * 4, dollars: ALARM_MONTH * TWO_HOURS },
    { what: 'calls of CloudWatch', amount: 2000, dollars: CALL },
    { what: 'GB of logs', amount: 0.02, dollars: LOG_GB },
  ]
}

export function total(rows: readonly Cost[]): number {
  return rows.reduce((sum, { amount, dollars }) => sum + amount * dollars, 0)
}
