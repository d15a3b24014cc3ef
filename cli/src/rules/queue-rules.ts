import type { Mapping, Queue, RedrivePolicy, Sender } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { countOf, formatNumber, joinNames } from '../shared/format.ts'
import { pageOf } from '../shared/package-manifest.ts'
import { haveDifferentFilters } from './filter-rules.ts'
import {
  type Context,
  formatSeconds,
  LAMBDA_API,
  LAMBDA_GUIDE,
  numberIn,
  type Problem,
  problem,
  type Rule,
  rulesOf,
  runningWith,
  SQS,
} from './rule.ts'

const CONFIGURE = `${LAMBDA_GUIDE}/services-sqs-configure.html`

const DAY_SECONDS = 86_400
const DEFAULT_RETENTION = 4 * DAY_SECONDS
const MAX_RETENTION = 14 * DAY_SECONDS

/** The receives that are advised. The first delays of `retryBackoff()` on a standard queue are short. */
const RECEIVES = { least: 5, advised: 5 }
const RECEIVES_WITH_BACKOFF = { least: 13, advised: 15 }

function receivesFor({ queue }: Mapping, { ofQueue, evidenceOf }: Context) {
  const usesBackoff = ofQueue.some((one) => evidenceOf(one.function).calls?.includes('retryBackoff'))
  return usesBackoff && valueIn(queue.fifo) === false ? RECEIVES_WITH_BACKOFF : RECEIVES
}

function redriveOf({ queue }: Mapping): Partial<RedrivePolicy> {
  return valueIn(queue.redrive) ?? {}
}

/**
 * The shortest visibility timeout for a mapping: what Lambda needs if `times` is 1, and what AWS recommends if it is 6,
 * for retries while the function is throttled.
 */
function shortestFor({ function: { timeout }, window }: Mapping, times: 1 | 6): number {
  return times * numberIn(timeout) + (times === 1 ? 0 : numberIn(window) || 0)
}

/** The mapping that needs the longest one. A mapping of which this is not known comes last. */
function strictest(mappings: readonly Mapping[], times: 1 | 6): Mapping {
  return mappings.reduce((most, mapping) => {
    const [needed, before] = [shortestFor(mapping, times), shortestFor(most, times)]
    return before >= needed || Number.isNaN(needed) ? most : mapping
  })
}

/** A visibility timeout that is too short for a mapping. A queue has only one, so the fix suits all mappings. */
function tooVisible({ ofQueue }: Context, times: 1 | 6): Problem | undefined {
  const mapping = strictest(ofQueue, times)
  const { queue, window, function: target } = mapping
  const { visibilityTimeout } = queue
  if (!(numberIn(visibilityTimeout) < shortestFor(mapping, times))) return undefined
  const seconds = shortestFor(strictest(ofQueue, 6), 6)
  const timeout = `the timeout of ${target.id} (${formatSeconds(target.timeout)})`
  const advice = `6 times ${timeout} plus the batching window (${formatNumber(numberIn(window) || 0)} s)`
  const below = `is below ${times === 1 ? timeout : advice}`
  const what = `The visibility timeout (${formatSeconds(visibilityTimeout)}) ${below}`
  const longer = numberIn(queue.retention) <= seconds ? ' Set MessageRetentionPeriod to more than that.' : ''
  const found = problem(queue, 'visibilityTimeout', what, `Set VisibilityTimeout to ${seconds}.${longer}`, seconds)
  return { ...found, strictness: seconds }
}

/** A longer retention period. If even 14 days are too short, fewer receives. */
function keepLonger(mapping: Mapping, than: string): Problem {
  const { queue } = mapping
  const { maxReceiveCount } = redriveOf(mapping)
  const hidden = numberIn(queue.visibilityTimeout)
  const needed = hidden * (numberIn(maxReceiveCount) || 1) || 0
  const what = `The queue keeps messages for ${formatSeconds(queue.retention)}, which is not longer than ${than}`
  if (maxReceiveCount && needed >= MAX_RETENTION) {
    const receives = Math.floor((MAX_RETENTION - 1) / hidden)
    const fix = `Set maxReceiveCount to at most ${receives}.`
    return problem({ ...queue, maxReceiveCount }, 'maxReceiveCount', what, fix, receives)
  }
  const value = Math.max(Math.min(needed * 2, MAX_RETENTION), DEFAULT_RETENTION)
  const fix = `Set MessageRetentionPeriod to ${value}${value === MAX_RETENTION ? '' : ' or more'}.`
  return problem(queue, 'retention', what, fix, value)
}

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

/** The mappings by the function, alias or version that they invoke. */
function byTarget(mappings: readonly Mapping[]): readonly Mapping[][] {
  return [...Map.groupBy(mappings, ({ target, id }) => target ?? `mapping ${id}`).values()]
}

/** The senders that surely may not send to a queue, or not use its key. */
function sendersTo({ senders }: Queue, key: 'maySend' | 'usesKey'): readonly Sender[] {
  return senders?.().filter((sender) => sender[key] === false) ?? []
}

export const QUEUE_RULES = rulesOf({
  'visibility-below-timeout': {
    severity: 'error',
    why: 'Lambda rejects the mapping: SQS could redeliver a message while the function still processes it.',
    source: CONFIGURE,
    check: (_, context) => tooVisible(context, 1),
  },
  'visibility-headroom': {
    severity: 'warning',
    why: 'Lambda needs this time to retry a batch that was throttled. With less, messages are received once more.',
    source: CONFIGURE,
    check: (_, context) => tooVisible(context, 6),
  },
  'short-retention': {
    severity: 'error',
    why: 'The message expires before it is received, or received again, so it is lost.',
    source: `${SQS}/APIReference/API_SetQueueAttributes.html`,
    check: (mapping) => {
      const { retention, visibilityTimeout, delay } = mapping.queue
      const [kept, hidden] = [numberIn(retention), numberIn(visibilityTimeout)]
      const count = numberIn(redriveOf(mapping).maxReceiveCount)
      const than = `the visibility timeout (${formatSeconds(visibilityTimeout)})`
      if (kept <= numberIn(delay)) return keepLonger(mapping, `the delay (${formatSeconds(delay)})`)
      if (kept <= hidden) return keepLonger(mapping, than)
      if (!(kept <= hidden * count)) return undefined
      const why =
        'A message that fails each time expires before its last delivery, and never reaches the dead-letter queue.'
      return { ...keepLonger(mapping, `${formatNumber(count)} times ${than}`), severity: 'warning', why }
    },
  },
  'duplicate-mapping': {
    severity: 'error',
    why: 'Lambda rejects the second mapping of a queue and a function, even if one of them is disabled.',
    source: `${LAMBDA_API}/API_CreateEventSourceMapping.html`,
    check: ({ condition }, { ofQueue }) => {
      const together = ofQueue.filter((other) => other.condition?.name === condition?.name)
      return byTarget(together).flatMap((same): Problem[] => {
        const [first, second] = same
        if (!first || !second) return []
        const names = joinNames(same.map(({ id }) => id))
        const what = `${same.length} mappings of ${first.function.id} read ${first.queue.id}: ${names}`
        return [problem(second, undefined, what, 'Use only one of them.')]
      })
    },
  },
  'shared-queue': {
    severity: 'warning',
    why: 'Each message goes to only one of these mappings.',
    source: `${LAMBDA_GUIDE}/with-sqs.html`,
    check: (mapping, { ofQueue }) => {
      const running = runningWith(mapping, ofQueue)
      // Another rule reports mappings of the same function.
      const readers = byTarget(running).flatMap(([first]) => first ?? [])
      if (readers.length < 2 || haveDifferentFilters(readers)) return undefined
      const what = `${readers.length} mappings read the queue: ${joinNames(readers.map(({ id }) => id))}`
      const fix = 'If each function needs every message, use a queue for each of them. Otherwise, use only one mapping.'
      return problem(mapping.queue, undefined, what, fix)
    },
  },
  'sender-not-allowed': {
    severity: 'error',
    why: 'SQS refuses the messages of this service, and they never reach the queue.',
    source: `${SQS}/SQSDeveloperGuide/sqs-basic-examples-of-sqs-policies.html`,
    check: ({ queue }) =>
      sendersTo(queue, 'maySend').map((sender) => {
        const what = `${sender.id} sends to ${queue.id}, but no policy of the queue allows ${sender.service} to send`
        return problem(sender, undefined, what, `Allow sqs:SendMessage to ${sender.service} in a policy of the queue.`)
      }),
  },
  'key-stops-sender': {
    severity: 'error',
    why: 'The service cannot encrypt its messages for the queue, and they never reach it.',
    source: `${SQS}/SQSDeveloperGuide/sqs-key-management.html`,
    check: ({ queue }) =>
      sendersTo(queue, 'usesKey').map((sender) => {
        const which = queue.hasOwnKey ? 'the policy of its key does not allow' : 'its key alias/aws/sqs never allows'
        const what = `${sender.id} sends to ${queue.id}, but ${which} ${sender.service} to use it`
        const allow = `Allow kms:GenerateDataKey* and kms:Decrypt to ${sender.service} in the policy of the key.`
        const fix = queue.hasOwnKey ? allow : `Use a key of your own. ${allow} Or use SqsManagedSseEnabled.`
        return problem(sender, undefined, what, fix)
      }),
  },
  'no-redrive-policy': {
    severity: 'warning',
    why: 'A message that always fails is redelivered until its retention period ends, and is then lost.',
    source: CONFIGURE,
    check: (mapping, context) => {
      const { queue } = mapping
      const { deadLetterQueue, arn } = redriveOf(mapping)
      if (arn && deadLetterQueue?.id === queue.id) {
        const what = 'The redrive policy names the queue itself as its dead-letter queue'
        return problem({ ...queue, arn }, 'arn', what, 'Set deadLetterTargetArn to the ARN of another queue.')
      }
      // A dead-letter queue needs no dead-letter queue of its own.
      if (queue.redrive.state !== 'absent' || queue.isDeadLetterQueue) return undefined
      const { advised } = receivesFor(mapping, context)
      const fix = `Set RedrivePolicy with a dead-letter queue and a maxReceiveCount of ${advised} or more.`
      return { ...problem(queue, undefined, 'The queue has no redrive policy', fix), setting: queue.redrive }
    },
  },
  'dead-letter-queue-refuses': {
    severity: 'warning',
    why: 'SQS may reject the redrive policy, or keep failed messages in the source queue.',
    source: `${SQS}/APIReference/API_SetQueueAttributes.html`,
    check: (mapping) => {
      const { id } = mapping.queue
      const { deadLetterQueue } = redriveOf(mapping)
      if (deadLetterQueue?.refusal === undefined) return undefined
      const what = `It is the dead-letter queue of ${id}, but its RedriveAllowPolicy ${deadLetterQueue.refusal}`
      const fix = `Allow ${id} in the RedriveAllowPolicy of the dead-letter queue.`
      return problem(deadLetterQueue, undefined, what, fix)
    },
  },
  'max-receive-count': {
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
      const { advised } = receives
      const fix = `Set maxReceiveCount to ${advised} or more.`
      const found = problem({ ...mapping.queue, maxReceiveCount }, 'maxReceiveCount', what, fix, advised)
      return usesBackoff ? { ...found, source: pageOf('outages.md') ?? CONFIGURE } : found
    },
  },
  'dead-letter-retention': {
    severity: 'warning',
    why: 'The time in a standard source queue counts, so a message can expire as soon as it is dead-lettered.',
    source: `${SQS}/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html`,
    check: (mapping) => {
      const { queue } = mapping
      const { deadLetterQueue } = redriveOf(mapping)
      const isShorter = numberIn(deadLetterQueue?.retention) < numberIn(queue.retention)
      // A message from a FIFO queue gets the full retention period in the dead-letter queue.
      if (!deadLetterQueue || valueIn(queue.fifo) !== false || !isShorter) return undefined
      const less = `less than its source queue (${formatSeconds(queue.retention)})`
      const what = `The dead-letter queue keeps messages for ${formatSeconds(deadLetterQueue.retention)}, ${less}`
      const fix = `Set its MessageRetentionPeriod to ${MAX_RETENTION} (14 days).`
      return problem(deadLetterQueue, 'retention', what, fix, MAX_RETENTION)
    },
  },
}).map((rule): Rule => ({ ...rule, isOfQueue: true }))
