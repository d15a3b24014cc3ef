import type { Mapping, RedrivePolicy } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../model/settings.ts'
import { countOf, formatNumber, joinNames } from '../shared/format.ts'
import { pageOf } from '../shared/pages.ts'
import {
  type Context,
  formatSeconds,
  LAMBDA_GUIDE,
  numberIn,
  type Problem,
  patternsOf,
  problem,
  type Rule,
  SQS_GUIDE,
} from './rule.ts'

const CONFIGURE = `${LAMBDA_GUIDE}/services-sqs-configure.html`

const DAY_SECONDS = 86_400
const DEFAULT_RETENTION = 4 * DAY_SECONDS
const MAX_RETENTION = 14 * DAY_SECONDS

/** The receives that are advised, and with `retryBackoff()` on a standard queue, whose first delays are short. */
const RECEIVES = { least: 5, advised: 5 }
const RECEIVES_WITH_BACKOFF = { least: 13, advised: 15 }

/** The batching window after the fixes of `batch-needs-window` and `fifo-window`. */
function windowAfter({ batchSize, window, queue }: Mapping): number {
  if (valueIn(queue.fifo)) return 0
  return Math.max(numberIn(window) || 0, numberIn(batchSize) > 10 ? 1 : 0)
}

/** What AWS recommends: six times the timeout of the function, plus the batching window. */
function recommended(mapping: Mapping) {
  return 6 * numberIn(mapping.function.timeout) + windowAfter(mapping)
}

/** The visibility timeout after its fix. */
function visibilityAfter({ queue }: Mapping, ofQueue: readonly Mapping[]): number {
  return Math.max(numberIn(queue.visibilityTimeout), recommended(strictest(ofQueue, recommended)) || 0)
}

/** How many receives a queue should allow. */
function receivesFor({ queue }: Mapping, { ofQueue, evidenceOf }: Context) {
  const usesBackoff = ofQueue.some((one) => evidenceOf(one.function).calls?.includes('retryBackoff'))
  return usesBackoff && valueIn(queue.fifo) === false ? RECEIVES_WITH_BACKOFF : RECEIVES
}

/** The settings of a queue after the fixes of all findings. A setting is NaN if it is not set or not known. */
function settingsAfter(mapping: Mapping, context: Context) {
  const { retention, delay, redrive, isDeadLetterQueue } = mapping.queue
  const visibility = visibilityAfter(mapping, context.ofQueue)
  const { least, advised } = receivesFor(mapping, context)
  const getsPolicy = redrive.state === 'absent' && !isDeadLetterQueue
  const count = getsPolicy ? advised : numberIn(redriveOf(mapping).maxReceiveCount)
  // 14 days is the longest retention period, and it must be longer than all deliveries.
  const most = Math.floor((MAX_RETENTION - 1) / visibility)
  const receives = Math.min(count < least ? advised : count, most)
  const needed = Math.max(numberIn(delay) || 0, visibility * (receives || 1) || 0)
  const kept = numberIn(retention)
  const longer = Math.max(Math.min(needed * 2, MAX_RETENTION), DEFAULT_RETENTION)
  return { visibility, receives, retention: kept <= needed ? longer : kept }
}

/** Whether messages expire before their last delivery, with the settings as they are. */
function isTooShort(mapping: Mapping): boolean {
  const { retention, delay, visibilityTimeout } = mapping.queue
  const count = numberIn(redriveOf(mapping).maxReceiveCount) || 1
  return numberIn(retention) <= Math.max(numberIn(delay) || 0, numberIn(visibilityTimeout) * count || 0)
}

/**
 * A fix that sets one thing, and all other settings that are right now and must follow. A longer visibility timeout, or
 * more receives, need a longer retention period.
 */
function setAlso(first: string, mapping: Mapping, context: Context): string {
  const { queue } = mapping
  const { maxReceiveCount, deadLetterQueue } = redriveOf(mapping)
  const { receives, retention } = settingsAfter(mapping, context)
  const isShorter = (period: number) => valueIn(queue.fifo) === false && numberIn(deadLetterQueue?.retention) < period
  const all = [
    first,
    ...(!isTooShort(mapping) && retention > numberIn(queue.retention) ? [retentionFix(retention)] : []),
    ...(receives < numberIn(maxReceiveCount) ? [`maxReceiveCount to at most ${receives}`] : []),
    ...(isShorter(retention) && !isShorter(numberIn(queue.retention))
      ? [`MessageRetentionPeriod of ${deadLetterQueue?.id} to ${MAX_RETENTION}`]
      : []),
  ]
  const last = all.length > 1 ? `, and ${all.pop()}` : ''
  return `Set ${all.join(', ')}${last}.`
}

function retentionFix(retention: number): string {
  return `MessageRetentionPeriod to ${retention}${retention === MAX_RETENTION ? '' : ' or more'}`
}

function timeoutOf({ function: lambdaFunction }: Mapping) {
  return numberIn(lambdaFunction.timeout)
}

/** The mapping with the highest number. A mapping whose number is not known comes last. */
function strictest(mappings: readonly Mapping[], numberOf: (mapping: Mapping) => number): Mapping {
  return mappings.reduce((most, mapping) =>
    numberOf(most) >= numberOf(mapping) || Number.isNaN(numberOf(mapping)) ? most : mapping,
  )
}

/** The problem, with a fix that suits all functions of the queue: a queue has only one visibility timeout. */
function raiseVisibilityTimeout(context: Context, what: string): Problem {
  const mapping = strictest(context.ofQueue, recommended)
  const { queue } = mapping
  const seconds = recommended(mapping)
  const fix = setAlso(`VisibilityTimeout to ${seconds}`, mapping, context)
  const assignment = { row: QUEUE_SETTINGS.visibilityTimeout, value: seconds }
  return { ...problem(queue, queue.visibilityTimeout, what, fix, assignment), strictness: seconds }
}

function redriveOf({ queue }: Mapping): Partial<RedrivePolicy> {
  return valueIn(queue.redrive) ?? {}
}

function period(value: number) {
  return value % DAY_SECONDS === 0
    ? `${value / DAY_SECONDS} day${value === DAY_SECONDS ? '' : 's'}`
    : `${formatNumber(value)} s`
}

/**
 * The mappings that run under the same condition as this one, itself included. Empty if it is not known that this one
 * runs. Different conditions whose values are not known may exclude each other.
 */
export function runningWith({ runs, condition }: Mapping, ofQueue: readonly Mapping[]): readonly Mapping[] {
  if (valueIn(runs) !== true) return []
  return ofQueue.filter((other) => valueIn(other.runs) === true && other.condition?.name === condition?.name)
}

function hasFilters(mapping: Mapping) {
  return patternsOf(mapping).length > 0
}

/** The filters as text, which is equal for equal filters. Undefined if they are not completely known. */
function filterText(mapping: Mapping): string | undefined {
  const patterns = patternsOf(mapping).map((pattern) => valueIn(pattern)?.json)
  return mapping.filters.state === 'unknown' || patterns.includes(undefined)
    ? undefined
    : [...new Set(patterns)].sort().join()
}

/** Whether the filters of two of these mappings are known to differ. */
function haveDifferentFilters(mappings: readonly Mapping[]) {
  const texts = new Set(mappings.map(filterText))
  return (texts.has('') && mappings.some(hasFilters)) || [...texts].filter((text) => text !== undefined).length > 1
}

function namesOf(mappings: readonly Mapping[]) {
  return joinNames(mappings.map(({ id }) => id))
}

/** A longer retention period. If even 14 days are too short, fewer receives. */
function keepLonger(mapping: Mapping, context: Context, than: string, more: Partial<Problem>): Problem {
  const { queue } = mapping
  const { receives, retention: value } = settingsAfter(mapping, context)
  const what = `The queue keeps messages for ${formatSeconds(queue.retention)}, which is not longer than ${than}`
  const { maxReceiveCount } = redriveOf(mapping)
  if (maxReceiveCount && numberIn(queue.retention) === MAX_RETENTION) {
    const assignment = { row: REDRIVE_SETTINGS.maxReceiveCount, value: receives }
    const fix = `Set maxReceiveCount to at most ${receives}.`
    return { ...problem(queue, maxReceiveCount, what, fix, assignment), ...more }
  }
  const fix = setAlso(retentionFix(value), mapping, context)
  return { ...problem(queue, queue.retention, what, fix, { row: QUEUE_SETTINGS.retention, value }), ...more }
}

/** What a low number of receives means. */
function outageOf({ queue }: Mapping, receives: number, usesBackoff: boolean): string {
  if (receives === 1) return 'A message is dead-lettered after its first failure'
  if (usesBackoff) return 'With retryBackoff(), whose first delays are short, a message survives only a short outage'
  const seconds = (receives - 1) * numberIn(queue.visibilityTimeout)
  return Number.isNaN(seconds)
    ? `A message is dead-lettered after ${receives} failures`
    : `A message survives an outage of up to ${timeOf(seconds)}`
}

/** `20 seconds`, `9 minutes`, `2 hours`. Rounded down. */
function timeOf(seconds: number): string {
  if (seconds < 120) return countOf(seconds, 'second')
  return seconds < 7200 ? countOf(Math.floor(seconds / 60), 'minute') : countOf(Math.floor(seconds / 3600), 'hour')
}

export const QUEUE_RULES: readonly Rule[] = [
  {
    id: 'competing-filters',
    severity: 'error',
    why: 'Each message goes to only one of these mappings. If it does not match the filters of that mapping, Lambda deletes it, even if it matches those of another mapping.',
    source: `${LAMBDA_GUIDE}/with-sqs-filtering.html`,
    check: (mapping, { ofQueue }) => {
      const readers = runningWith(mapping, ofQueue)
      if (!haveDifferentFilters(readers)) return undefined
      const { queue: resource } = mapping
      const what = `Mappings with different filters read the queue: ${namesOf(readers)}`
      const fix =
        'Use a queue for each mapping, and send every message to all of them, for example through an SNS topic.'
      return { resource, position: resource.position, what, fix }
    },
  },
  {
    id: 'visibility-below-timeout',
    severity: 'error',
    why: 'Lambda rejects the mapping: SQS could redeliver a message while the function still processes it.',
    source: CONFIGURE,
    check: ({ queue }, context) => {
      const { visibilityTimeout } = queue
      const { id, timeout } = strictest(context.ofQueue, timeoutOf).function
      if (!(numberIn(visibilityTimeout) < numberIn(timeout))) return undefined
      const what = `The visibility timeout (${formatSeconds(visibilityTimeout)}) is below the timeout of ${id} (${formatSeconds(timeout)})`
      return raiseVisibilityTimeout(context, what)
    },
  },
  {
    id: 'visibility-headroom',
    severity: 'warning',
    why: 'Lambda needs this time to retry a batch while the function is throttled. With less time, messages become visible too early and are received once more.',
    source: CONFIGURE,
    check: ({ queue }, context) => {
      const { visibilityTimeout } = queue
      const mapping = strictest(context.ofQueue, recommended)
      if (!(numberIn(visibilityTimeout) < recommended(mapping))) return undefined
      const { id, timeout } = mapping.function
      const what =
        `The visibility timeout (${formatSeconds(visibilityTimeout)}) is below 6 times the timeout of ${id} (${formatSeconds(timeout)}) ` +
        `plus the batching window (${formatNumber(windowAfter(mapping))} s)`
      return raiseVisibilityTimeout(context, what)
    },
  },
  {
    id: 'short-retention',
    severity: 'error',
    why: 'The message expires before it is received again, so it is lost.',
    source: 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html',
    check: (mapping, context) => {
      const { retention, visibilityTimeout, delay } = mapping.queue
      const count = numberIn(redriveOf(mapping).maxReceiveCount)
      if (!isTooShort(mapping)) return undefined
      if (numberIn(retention) <= numberIn(delay)) {
        const why = 'The message expires before it is delivered, so it is lost.'
        return keepLonger(mapping, context, `the delay (${formatSeconds(delay)})`, { why })
      }
      const hidden = `the visibility timeout (${formatSeconds(visibilityTimeout)})`
      if (numberIn(retention) <= numberIn(visibilityTimeout)) return keepLonger(mapping, context, hidden, {})
      const why =
        'A message that fails each time expires before its last delivery, and never reaches the dead-letter queue.'
      return keepLonger(mapping, context, `${formatNumber(count)} times ${hidden}`, { severity: 'warning', why })
    },
  },
  {
    id: 'shared-queue',
    severity: 'warning',
    why: 'Each message goes to only one of these mappings.',
    source: `${LAMBDA_GUIDE}/with-sqs.html`,
    check: (mapping, { ofQueue }) => {
      const readers = runningWith(mapping, ofQueue)
      if (readers.length < 2 || haveDifferentFilters(readers)) return undefined
      const { queue: resource } = mapping
      const what = `${readers.length} mappings read the queue: ${namesOf(readers)}`
      const fix = 'If each function needs every message, use a queue for each of them. Otherwise, use only one mapping.'
      return { resource, position: resource.position, what, fix }
    },
  },
  {
    id: 'no-redrive-policy',
    severity: 'warning',
    why: 'A message that always fails is redelivered until its retention period ends, and is then lost.',
    source: CONFIGURE,
    check: (mapping, context) => {
      const { queue } = mapping
      const { deadLetterQueue, arn } = redriveOf(mapping)
      if (arn && deadLetterQueue?.id === queue.id) {
        const fix = 'Set deadLetterTargetArn to the ARN of another queue.'
        return problem(queue, arn, 'The redrive policy names the queue itself as its dead-letter queue', fix)
      }
      // A dead-letter queue needs no dead-letter queue of its own.
      if (queue.redrive.state !== 'absent' || queue.isDeadLetterQueue) return undefined
      const { advised } = receivesFor(mapping, context)
      const policy = `RedrivePolicy with a dead-letter queue and a maxReceiveCount of ${advised} or more`
      return problem(queue, queue.redrive, 'The queue has no redrive policy', setAlso(policy, mapping, context))
    },
  },
  {
    id: 'max-receive-count',
    severity: 'warning',
    why: 'Throttled and unfinished batches also count as receives, so valid messages can be dead-lettered.',
    source: CONFIGURE,
    check: (mapping, context) => {
      const { maxReceiveCount } = redriveOf(mapping)
      const count = numberIn(maxReceiveCount)
      const receives = receivesFor(mapping, context)
      if (!maxReceiveCount || !(count < receives.least)) return undefined
      const usesBackoff = receives === RECEIVES_WITH_BACKOFF
      const what = `maxReceiveCount is ${count}. ${outageOf(mapping, count, usesBackoff)}`
      const assignment = { row: REDRIVE_SETTINGS.maxReceiveCount, value: receives.advised }
      const fix = setAlso(`maxReceiveCount to ${receives.advised} or more`, mapping, context)
      const found = problem(mapping.queue, maxReceiveCount, what, fix, assignment)
      return usesBackoff ? { ...found, source: pageOf('outages.md') ?? CONFIGURE } : found
    },
  },
  {
    id: 'dead-letter-retention',
    severity: 'warning',
    why: 'The retention period includes the time in a standard source queue, so a message can expire as soon as it is dead-lettered.',
    source: `${SQS_GUIDE}/setting-up-dead-letter-queue-retention.html`,
    check: (mapping) => {
      const { queue } = mapping
      const { deadLetterQueue } = redriveOf(mapping)
      const [kept, keptBefore] = [numberIn(deadLetterQueue?.retention), numberIn(queue.retention)]
      // A message from a FIFO queue gets the full retention period in the dead-letter queue.
      if (!deadLetterQueue || valueIn(queue.fifo) !== false || !(kept < keptBefore)) return undefined
      const what = `The dead-letter queue keeps messages for ${period(kept)}, less than its source queue (${period(keptBefore)})`
      const assignment = { row: QUEUE_SETTINGS.retention, value: MAX_RETENTION }
      const fix = `Set its MessageRetentionPeriod to ${MAX_RETENTION} (14 days).`
      return problem(deadLetterQueue, deadLetterQueue.retention, what, fix, assignment)
    },
  },
]
