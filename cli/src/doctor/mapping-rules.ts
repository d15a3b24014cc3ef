import { type Mapping, valueIn } from './model.ts'
import { broken, LAMBDA_GUIDE, numberIn, type Rule, seconds, whole } from './rule.ts'

/** A synchronous invocation's payload, and what Lambda adds to each body in it: ids, attributes, the receipt handle. */
const PAYLOAD = 6 * 1024 * 1024
const RECORD_OVERHEAD = 710

/** Records with bodies of that size that fit into one event. */
export const fitting = (bodyBytes: number) => Math.floor(PAYLOAD / (bodyBytes + RECORD_OVERHEAD))

const PARAMETERS = `${LAMBDA_GUIDE}/services-sqs-parameters.html`
const SCALING = `${LAMBDA_GUIDE}/services-sqs-scaling.html`

const isFifo = ({ queue }: Mapping) => valueIn(queue.fifo) === true
const isProvisioned = ({ provisioned }: Mapping) => valueIn(provisioned) === true
/**
 * What the mappings of a function may invoke at once, by their maximum concurrency: those that surely do, or the one that
 * may run and has more, and all of them. Only what runs is added up: the others may never run together.
 */
export const concurrencyOf = (mappings: readonly Mapping[]) => {
  const limited = mappings.filter((mapping) => !isProvisioned(mapping) && inRange(numberIn(mapping.maximumConcurrency)))
  const running = limited.filter(({ runs }) => valueIn(runs) === true)
  const idle = limited.filter(({ runs }) => valueIn(runs) !== true)
  const sum = (some: readonly Mapping[]) =>
    some.reduce((total, { maximumConcurrency }) => total + numberIn(maximumConcurrency), 0)
  const alone = idle.filter(({ runs }) => runs.state === 'unknown').map((mapping) => [mapping])
  const counted = [running, ...alone].reduce((most, some) => (sum(some) > sum(most) ? some : most))
  return { counted, idle, surely: sum(counted), atMost: sum(limited) }
}

const inRange = (concurrency: number) => concurrency >= 2 && concurrency <= 1000

export const MAPPING_RULES: readonly Rule[] = [
  {
    id: 'report-batch-item-failures',
    severity: 'error',
    why: 'Lambda ignores what the function reports, counts it as a success, and deletes the messages that failed.',
    source: `${LAMBDA_GUIDE}/services-sqs-errorhandling.html`,
    check: (mapping) => {
      if (valueIn(mapping.reports) !== false) return undefined
      const fix = mapping.ofTopic
        ? 'SAM cannot set it on what SqsSubscription makes. Declare the queue and an AWS::SNS::Subscription to it instead, ' +
          'and an event of Type: SQS with FunctionResponseTypes: [ReportBatchItemFailures].'
        : 'Set FunctionResponseTypes to [ReportBatchItemFailures].'
      return broken(mapping, mapping.reports, 'ReportBatchItemFailures is off', fix)
    },
  },
  {
    id: 'fifo-batch-size',
    severity: 'error',
    why: 'Lambda takes at most 10 records of a FIFO queue at a time.',
    source: PARAMETERS,
    check: (mapping) => {
      const size = numberIn(mapping.batchSize)
      if (!isFifo(mapping) || !(size > 10)) return undefined
      const what = `A batch size of ${whole(size)} on a FIFO queue`
      return broken(mapping, mapping.batchSize, what, 'Set BatchSize to at most 10.')
    },
  },
  {
    id: 'batch-size',
    severity: 'error',
    why: 'Lambda takes at most 10,000 records at a time.',
    source: PARAMETERS,
    check: (mapping) => {
      const size = numberIn(mapping.batchSize)
      if (!(size > 10_000)) return undefined
      return broken(mapping, mapping.batchSize, `A batch size of ${whole(size)}`, 'Set BatchSize to at most 10,000.')
    },
  },
  {
    id: 'batch-needs-window',
    severity: 'error',
    why: 'Lambda refuses it: more than 10 records take time to gather.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: (mapping) => {
      const size = numberIn(mapping.batchSize)
      if (!(size > 10 && numberIn(mapping.window) < 1)) return undefined
      const fix = mapping.ofTopic
        ? 'Set BatchSize to at most 10: SAM sets no window on what SqsSubscription makes.'
        : 'Set MaximumBatchingWindowInSeconds to 1 or more, or BatchSize to at most 10.'
      return broken(mapping, mapping.batchSize, `A batch size of ${whole(size)} without a batching window`, fix)
    },
  },
  {
    id: 'fifo-window',
    severity: 'error',
    why: 'Lambda has no batching window for FIFO queues.',
    source: PARAMETERS,
    check: (mapping) => {
      if (!isFifo(mapping) || !(numberIn(mapping.window) > 0)) return undefined
      const what = `A batching window of ${seconds(mapping.window)} on a FIFO queue`
      return broken(mapping, mapping.window, what, 'Remove MaximumBatchingWindowInSeconds.')
    },
  },
  {
    id: 'concurrency-and-provisioned',
    severity: 'error',
    why: 'Lambda refuses both together: in provisioned mode the pollers set the concurrency.',
    source: SCALING,
    check: (mapping) => {
      if (!isProvisioned(mapping) || mapping.maximumConcurrency.state !== 'known') return undefined
      const fix = 'Remove ScalingConfig or ProvisionedPollerConfig.'
      return broken(mapping, mapping.maximumConcurrency, 'Maximum concurrency together with provisioned mode', fix)
    },
  },
  {
    id: 'concurrency-range',
    severity: 'error',
    why: 'Lambda takes 2 to 1,000.',
    source: SCALING,
    check: (mapping) => {
      const most = numberIn(mapping.maximumConcurrency)
      if (!(most < 2 || most > 1000)) return undefined
      const fix = 'Set MaximumConcurrency from 2 to 1,000, or remove it.'
      return broken(mapping, mapping.maximumConcurrency, `A maximum concurrency of ${whole(most)}`, fix)
    },
  },
  {
    id: 'concurrency-above-reserved',
    severity: 'error',
    why: 'What the mappings invoke beyond it is throttled, and the messages come back with one receive more.',
    source: SCALING,
    check: ({ function: target }, _options, { ofFunction }) => {
      const { counted, surely } = concurrencyOf(ofFunction)
      const reserved = numberIn(target.reservedConcurrency)
      if (!(surely > reserved)) return undefined
      const over = counted.length > 1 ? ` over its ${counted.length} mappings` : ''
      const what = `A maximum concurrency of ${whole(surely)}${over}, above the reserved concurrency of ${whole(reserved)}`
      const fix = `Reserve ${whole(surely)} or more, or lower MaximumConcurrency.`
      return { ...broken(target, target.reservedConcurrency, what, fix), need: surely }
    },
  },
  {
    id: 'batch-over-payload',
    severity: 'warning',
    why: 'An event ends at 6 MB, and a record has some 710 bytes beside its body: such a batch never fills.',
    source: `${LAMBDA_GUIDE}/services-sqs-configure.html`,
    check: (mapping, { bodyBytes = Number.NaN }) => {
      const size = numberIn(mapping.batchSize)
      const fits = fitting(bodyBytes)
      if (!(size > fits)) return undefined
      const what = `A batch size of ${whole(size)}, where some ${whole(fits)} records with bodies of ${whole(bodyBytes)} bytes fit`
      return broken(mapping, mapping.batchSize, what, `Set BatchSize to ${whole(fits)} at most.`)
    },
  },
  {
    id: 'fifo-parallelism',
    severity: 'info',
    why: 'A message group is worked on by one invocation at a time, whatever the concurrency.',
    source: SCALING,
    check: (mapping) => {
      if (!isFifo(mapping)) return undefined
      const what = 'On a FIFO queue, parallelism ends at the number of message groups'
      return broken(mapping, mapping.queue.fifo, what, 'Spread the messages over more groups where that is too little.')
    },
  },
]
