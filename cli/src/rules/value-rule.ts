import type { DeadLetterQueue, Mapping, Queue } from '../model/model.ts'
import { type Resource, type Setting, valueIn } from '../model/setting.ts'
import type { Row } from '../model/settings-table.ts'
import { FUNCTION_SETTINGS, MAPPING_SETTINGS, QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../model/settings-table.ts'
import { isFifo, LAMBDA_API, numberIn, type Problem, patternsOf, problem, type Rule, SQS } from './rule.ts'

const MAPPING = `${LAMBDA_API}/API_CreateEventSourceMapping.html`
const FUNCTION = `${LAMBDA_API}/API_CreateFunction.html`
const QUEUE = `${SQS}/APIReference/API_SetQueueAttributes.html`

const MAX_DELAY = QUEUE_SETTINGS.delay.limits?.[1] as number

type Rows = Readonly<Record<string, Pick<Row, 'name' | 'isOptional'>>>

interface NamedSetting {
  resource: Resource
  name: string
  setting: Setting<unknown>
  source: string
  row?: Rows[string]
}

/** Whether a rule needs the value of a setting. If so, an unknown value is listed as not checked. */
export function isNeeded({ row, resource }: NamedSetting, mapping: Mapping): boolean {
  const { queue } = mapping
  // A message from a FIFO queue gets the full retention period in the dead-letter queue.
  if (row === QUEUE_SETTINGS.retention && resource !== queue) return !isFifo(mapping)
  // The delay matters only if messages expire as early.
  if (row === QUEUE_SETTINGS.delay) return numberIn(queue.retention) <= MAX_DELAY
  return !row?.isOptional
}

/** The settings of a table, without those of a resource that could not be read. */
function namedIn(rows: Rows, source: string, resource?: Resource, values: object = resource ?? {}) {
  if (!resource || resource.unreadReason !== undefined) return []
  return Object.entries(rows).flatMap(([key, row]): NamedSetting[] => {
    const setting = (values as Record<string, Setting<unknown>>)[key]
    return setting ? [{ resource, source, name: row.name, setting, row }] : []
  })
}

/** All settings of a mapping, its function and its queues, as far as these could be read. */
export function settingsOfMapping(mapping: Mapping): NamedSetting[] {
  const { queue } = mapping
  const redrive = valueIn(queue.redrive)
  return [
    ...namedIn(
      { ...MAPPING_SETTINGS, sourceArn: { name: 'EventSourceArn' }, functionName: { name: 'FunctionName' } },
      MAPPING,
      mapping,
    ),
    ...patternsOf(mapping).map((setting) => ({ resource: mapping, source: MAPPING, name: 'Pattern', setting })),
    ...namedIn(FUNCTION_SETTINGS, FUNCTION, mapping.function),
    ...namedIn({ ...QUEUE_SETTINGS, redrive: { name: 'RedrivePolicy' } }, QUEUE, queue),
    ...namedIn(REDRIVE_SETTINGS, QUEUE, queue, redrive ?? {}),
    ...namedIn(QUEUE_SETTINGS, QUEUE, redrive?.deadLetterQueue),
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
      return [{ ...problem(resource, undefined, `${name}: ${setting.reason}`, setting.fix), setting, source }]
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
  if (arn.state === 'absent' || maxReceiveCount.state === 'absent') {
    const fix = 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.'
    const what = 'RedrivePolicy: it needs deadLetterTargetArn and maxReceiveCount'
    return [{ ...problem(queue, undefined, what, fix), setting: queue.redrive, source: QUEUE }]
  }
  if (!isOfOtherType(queue, deadLetterQueue)) return []
  const kinds = ['a standard queue', 'a FIFO queue']
  const [kind, otherKind] = valueIn(queue.fifo) ? kinds.reverse() : kinds
  const what = `deadLetterTargetArn: ${deadLetterQueue.id} is ${otherKind}, but ${queue.id} is ${kind}`
  return [{ ...problem({ ...queue, arn }, 'arn', what, `Use ${kind} as the dead-letter queue.`), source: QUEUE }]
}
