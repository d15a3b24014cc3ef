import type { Mapping, Resource } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import {
  type AnyRow,
  FUNCTION_SETTINGS,
  MAPPING_SETTINGS,
  QUEUE_SETTINGS,
  REDRIVE_SETTINGS,
  type Table,
} from '../model/settings.ts'
import { numberIn, type Problem, patternsOf, problem, type Rule } from './rule.ts'

const MAPPING = 'https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html'
const FUNCTION = 'https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html'
const QUEUE = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html'

const MAX_DELAY = QUEUE_SETTINGS.delay.most as number

interface NamedSetting {
  resource: Resource
  /** The name in templates. */
  name: string
  setting: Setting<unknown>
  /** Missing for the pattern of a filter. */
  row?: AnyRow
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
export function settingsOf(mapping: Mapping): NamedSetting[] {
  const { function: lambdaFunction, queue } = mapping
  const redrive = valueIn(queue.redrive)
  const deadLetterQueue = redrive?.deadLetterQueue
  function named(resource: Resource | undefined, source: string, table: Table, values: object = {}) {
    if (!resource || resource.unreadReason !== undefined) return []
    return Object.entries(table).flatMap(([key, row]): NamedSetting[] => {
      const setting = (values as Record<string, Setting<unknown> | undefined>)[key]
      return setting ? [{ resource, source, name: row.title ?? row.name, setting, row }] : []
    })
  }
  return [
    ...named(mapping, MAPPING, MAPPING_SETTINGS, mapping),
    ...patternsOf(mapping).map((setting) => ({ resource: mapping, source: MAPPING, name: 'Pattern', setting })),
    ...named(lambdaFunction, FUNCTION, FUNCTION_SETTINGS, lambdaFunction),
    ...named(queue, QUEUE, QUEUE_SETTINGS, queue),
    ...named(queue, QUEUE, REDRIVE_SETTINGS, redrive),
    ...named(deadLetterQueue, QUEUE, QUEUE_SETTINGS, deadLetterQueue),
  ]
}

export const VALUE_RULE: Rule = {
  id: 'invalid-value',
  severity: 'error',
  finds:
    'AWS rejects a value, for example: a value that is out of range, a dead-letter queue of the other type (FIFO or standard), a name that ends in `.fifo` without `FifoQueue`, more than 5 filters.',
  why: 'AWS rejects this value. Checks that depend on it were skipped.',
  source: MAPPING,
  check: (mapping) =>
    settingsOf(mapping).flatMap(({ resource, name, setting, source }): Problem[] => {
      if (setting.fix === undefined) return []
      return [{ ...problem(resource, setting, `${name}: ${setting.reason}`, setting.fix), source }]
    }),
}
