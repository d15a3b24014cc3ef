import type { DeadLetterQueue, Mapping, Queue } from '../model/model.ts'
import { type Resource, type Setting, valueIn } from '../model/setting.ts'
import {
  FUNCTION_SETTINGS,
  MAPPING_SETTINGS,
  QUEUE_SETTINGS,
  REDRIVE_SETTINGS,
  type Row,
  type Table,
} from '../model/settings.ts'
import { numberIn, type Problem, patternsOf, problem, type Rule } from './rule.ts'

const MAPPING = 'https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html'
const FUNCTION = 'https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html'
const QUEUE = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html'

const MAX_DELAY = QUEUE_SETTINGS.delay.limits?.[1] as number

interface NamedSetting {
  resource: Resource
  /** The name in templates. */
  name: string
  setting: Setting<unknown>
  /** Missing for the pattern of a filter and for the redrive policy, which are in no table. */
  row?: Row
  /** The page of AWS that lists the accepted values. */
  source: string
}

/** Whether a rule needs the value of a setting. If so, an unknown value is listed as not checked. */
export function isNeeded({ row, resource }: NamedSetting, { queue }: Mapping): boolean {
  // A message from a FIFO queue gets the full retention period in the dead-letter queue.
  if (row === QUEUE_SETTINGS.retention && resource !== queue) return valueIn(queue.fifo) !== true
  // The delay matters only if messages expire as early.
  if (row === QUEUE_SETTINGS.delay) return numberIn(queue.retention) <= MAX_DELAY
  return !row?.isOptional
}

/** All settings of a mapping, its function and its queues, without those of resources that could not be read. */
export function settingsOfMapping(mapping: Mapping): NamedSetting[] {
  const { function: lambdaFunction, queue } = mapping
  const redrive = valueIn(queue.redrive)
  const deadLetterQueue = redrive?.deadLetterQueue
  const policy = { resource: queue, source: QUEUE, name: 'RedrivePolicy', setting: queue.redrive }
  function named(resource: Resource | undefined, source: string, table: Table, values: object = {}) {
    if (!resource || resource.unreadReason !== undefined) return []
    return Object.entries(table).flatMap(([key, row]): NamedSetting[] => {
      const setting = (values as Record<string, Setting<unknown> | undefined>)[key]
      return setting ? [{ resource, source, name: row.name, setting, row }] : []
    })
  }
  return [
    ...named(mapping, MAPPING, MAPPING_SETTINGS, mapping),
    ...(mapping.sourceArn
      ? [{ resource: mapping, source: MAPPING, name: 'EventSourceArn', setting: mapping.sourceArn }]
      : []),
    ...patternsOf(mapping).map((setting) => ({ resource: mapping, source: MAPPING, name: 'Pattern', setting })),
    ...named(lambdaFunction, FUNCTION, FUNCTION_SETTINGS, lambdaFunction),
    ...named(queue, QUEUE, QUEUE_SETTINGS, queue),
    ...(queue.unreadReason === undefined ? [policy] : []),
    ...named(queue, QUEUE, REDRIVE_SETTINGS, redrive),
    ...named(deadLetterQueue, QUEUE, QUEUE_SETTINGS, deadLetterQueue),
  ]
}

export const VALUE_RULE: Rule = {
  id: 'invalid-value',
  severity: 'error',
  why: 'AWS rejects this value. Checks that depend on it were skipped.',
  source: MAPPING,
  check: (mapping) => [
    ...settingsOfMapping(mapping).flatMap(({ resource, name, setting, source }): Problem[] => {
      if (setting.fix === undefined) return []
      return [{ ...problem(resource, setting, `${name}: ${setting.reason}`, setting.fix), source }]
    }),
    ...redriveProblems(mapping.queue),
  ],
}

/** Whether only one of a queue and its dead-letter queue is a FIFO queue, as far as this is known. */
export function isOfOtherType({ fifo }: Queue, deadLetterQueue: DeadLetterQueue): boolean {
  const [own, other] = [valueIn(fifo), valueIn(deadLetterQueue.fifo)]
  return own !== undefined && other !== undefined && own !== other
}

/** A redrive policy that lacks one of its two keys, or whose dead-letter queue is of the other type. */
function redriveProblems(queue: Queue): Problem[] {
  const policy = valueIn(queue.redrive)
  if (!policy) return []
  const { arn, maxReceiveCount, deadLetterQueue } = policy
  const has = [arn, maxReceiveCount].map(({ state }) => state !== 'absent')
  if (has.includes(false)) {
    const fix = 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.'
    const what = 'RedrivePolicy: it needs deadLetterTargetArn and maxReceiveCount'
    return [{ ...problem(queue, queue.redrive, what, fix), source: QUEUE }]
  }
  if (!isOfOtherType(queue, deadLetterQueue)) return []
  const [kind, otherKind] = valueIn(queue.fifo)
    ? ['a FIFO queue', 'a standard queue']
    : ['a standard queue', 'a FIFO queue']
  const what = `deadLetterTargetArn: ${deadLetterQueue.id} is ${otherKind}, but ${queue.id} is ${kind}`
  return [{ ...problem(queue, arn, what, `Use ${kind} as the dead-letter queue.`), source: QUEUE }]
}
