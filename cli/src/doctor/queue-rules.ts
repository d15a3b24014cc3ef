import { type Mapping, type Redrive, valueIn } from '../model.ts'
import { type Broken, broken, LAMBDA_GUIDE, numberIn, type Rule, SQS_GUIDE, seconds, whole } from './rule.ts'

const CONFIGURE = `${LAMBDA_GUIDE}/services-sqs-configure.html`

const DAY = 86_400

/** AWS's advice: six times the function's timeout, plus the batching window. */
function advised({ window, function: target }: Mapping) {
  return 6 * numberIn(target.timeout) + (numberIn(window) || 0)
}

function timeoutOf({ function: target }: Mapping) {
  return numberIn(target.timeout)
}

/** The mapping that needs most; one whose need is not known comes last. */
function neediest(mappings: readonly Mapping[], need: (mapping: Mapping) => number): Mapping {
  return mappings.reduce((most, mapping) =>
    need(most) >= need(mapping) || Number.isNaN(need(mapping)) ? most : mapping,
  )
}

/** The same for all functions of a queue, which has one visibility timeout. */
function raise(mappings: readonly Mapping[], what: string): Broken {
  const mapping = neediest(mappings, advised)
  const { queue } = mapping
  const need = advised(mapping)
  return { ...broken(queue, queue.visibilityTimeout, what, `Set VisibilityTimeout to ${need}.`), need }
}

function redriveOf({ queue }: Mapping): Partial<Redrive> {
  return valueIn(queue.redrive) ?? {}
}

function period(value: number) {
  return value % DAY === 0 ? `${value / DAY} day${value === DAY ? '' : 's'}` : `${whole(value)} s`
}

export const QUEUE_RULES: readonly Rule[] = [
  {
    id: 'visibility-below-timeout',
    severity: 'error',
    why: 'Lambda refuses it: a message would come back while the function is still at work on it.',
    source: CONFIGURE,
    check: ({ queue }, _options, { ofQueue }) => {
      const { visibilityTimeout } = queue
      const { id, timeout } = neediest(ofQueue, timeoutOf).function
      if (!(numberIn(visibilityTimeout) < numberIn(timeout))) return undefined
      const what = `A visibility timeout (${seconds(visibilityTimeout)}) below the timeout of ${id} (${seconds(timeout)})`
      return raise(ofQueue, what)
    },
  },
  {
    id: 'visibility-headroom',
    severity: 'warning',
    why: 'Lambda needs the rest to try a batch again when the function is throttled; without it messages come back with one receive more.',
    source: CONFIGURE,
    check: ({ queue }, _options, { ofQueue }) => {
      const { visibilityTimeout } = queue
      const mapping = neediest(ofQueue, advised)
      if (!(numberIn(visibilityTimeout) < advised(mapping))) return undefined
      const { id, timeout } = mapping.function
      const what =
        `A visibility timeout (${seconds(visibilityTimeout)}) below 6 times the timeout of ${id} (${seconds(timeout)}) ` +
        `plus the batching window (${seconds(mapping.window)})`
      return raise(ofQueue, what)
    },
  },
  {
    id: 'no-redrive-policy',
    severity: 'warning',
    why: 'A message that always fails comes back until the queue drops it for its age.',
    source: CONFIGURE,
    check: ({ queue }) => {
      // What reaches a dead-letter queue has had its chances: nobody needs one behind it.
      if (queue.redrive.state !== 'absent' || queue.isDeadLetterQueue) return undefined
      const fix = 'Give it a RedrivePolicy with a dead-letter queue and a maxReceiveCount of 5 or more.'
      return broken(queue, queue.redrive, 'A queue without a redrive policy', fix)
    },
  },
  {
    id: 'max-receive-count',
    severity: 'warning',
    why: 'Throttling and batches that were cut short count as receives too: good messages would be dead-lettered.',
    source: CONFIGURE,
    check: (mapping) => {
      const { maxReceiveCount } = redriveOf(mapping)
      if (!maxReceiveCount || !(numberIn(maxReceiveCount) < 5)) return undefined
      const what = `A maxReceiveCount of ${numberIn(maxReceiveCount)}`
      return broken(mapping.queue, maxReceiveCount, what, 'Set maxReceiveCount to 5 or more.')
    },
  },
  {
    id: 'dead-letter-retention',
    severity: 'warning',
    why: 'On a standard queue the time that a message spent in the source counts: it may be gone before anybody looks.',
    source: `${SQS_GUIDE}/setting-up-dead-letter-queue-retention.html`,
    check: (mapping) => {
      const { queue } = mapping
      const { deadLetterQueue: target } = redriveOf(mapping)
      const [source, kept] = [numberIn(queue.retention), numberIn(target?.retention)]
      // A FIFO queue's messages begin anew in the dead-letter queue.
      if (!target || valueIn(queue.fifo) !== false || !(kept <= source)) return undefined
      if (kept < 14 * DAY) {
        const what = `A dead-letter queue that keeps messages for ${period(kept)}, no longer than its source (${period(source)})`
        return broken(target, target.retention, what, 'Set its MessageRetentionPeriod to 1209600, 14 days.')
      }
      const what = `A queue that keeps messages for ${period(source)}, as long as its dead-letter queue can`
      const fix = 'Lower its MessageRetentionPeriod: no dead-letter queue keeps messages longer than 14 days.'
      return broken(queue, queue.retention, what, fix)
    },
  },
]
