import { type Mapping, type Resource, type Setting, valueIn } from '../model.ts'
import { type Problem, patternsOf, problem, type Rule } from './rule.ts'

const MAPPING = 'https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html'
const FUNCTION = 'https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html'
const QUEUE = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html'

interface NamedSetting {
  resource: Resource
  /** The name in templates. */
  name: string
  setting: Setting<unknown>
  /** Whether a rule needs the value. If so, an unknown value is listed as not checked. */
  needed: boolean
  /** The page of AWS that lists the accepted values. */
  source: string
}

/**
 * All settings of a mapping, its function and its queues, without those of resources that could not be read. A rule
 * needs the memory only to check the timeout, for which the flag `--record-ms` is needed.
 */
export function settingsOf(mapping: Mapping, isTimeoutChecked = false): NamedSetting[] {
  const { function: lambdaFunction, queue } = mapping
  const redrive = valueIn(queue.redrive)
  const isRetentionChecked = redrive !== undefined && valueIn(queue.fifo) !== true
  function named(
    resource: Resource | undefined,
    source: string,
    settings: [name: string, setting: Setting<unknown> | undefined, needed?: boolean][],
  ): NamedSetting[] {
    if (!resource || resource.unreadReason !== undefined) return []
    return settings.flatMap(([name, setting, needed = true]) =>
      setting ? { resource, source, name, setting, needed } : [],
    )
  }
  return [
    ...named(mapping, MAPPING, [
      ['The ARN of its queue', mapping.arn, false], // if it is unknown, the queue itself is listed as not checked
      ['FunctionResponseTypes', mapping.reportBatchItemFailures],
      ['BatchSize', mapping.batchSize],
      ['MaximumBatchingWindowInSeconds', mapping.window],
      ['Enabled', mapping.runs, false],
      ['MaximumConcurrency', mapping.maximumConcurrency],
      ['MinimumPollers', mapping.minimumPollers],
      ['MaximumPollers', mapping.maximumPollers],
      ['FilterCriteria', mapping.filters],
      ...patternsOf(mapping).map((pattern): [string, Setting<unknown>] => ['Pattern', pattern]),
    ]),
    ...named(lambdaFunction, FUNCTION, [
      ['Timeout', lambdaFunction.timeout],
      ['MemorySize', lambdaFunction.memory, isTimeoutChecked],
      ['Runtime', lambdaFunction.runtime],
      ['ReservedConcurrentExecutions', lambdaFunction.reservedConcurrency],
      ['DeadLetterConfig', lambdaFunction.deadLetterTarget],
      ['TenantIsolationMode', lambdaFunction.tenantIsolation],
      ['ExecutionTimeout', lambdaFunction.executionTimeout],
    ]),
    ...named(queue, QUEUE, [
      ['FifoQueue', queue.fifo],
      ['VisibilityTimeout', queue.visibilityTimeout],
      ['RedrivePolicy', queue.redrive],
      ['deadLetterTargetArn', redrive?.arn, false],
      ['maxReceiveCount', redrive?.maxReceiveCount],
      ['MessageRetentionPeriod', queue.retention, isRetentionChecked],
    ]),
    ...named(redrive?.deadLetterQueue, QUEUE, [
      ['FifoQueue', redrive?.deadLetterQueue.fifo],
      ['MessageRetentionPeriod', redrive?.deadLetterQueue.retention, isRetentionChecked],
    ]),
  ]
}

export const VALUE_RULE: Rule = {
  id: 'invalid-value',
  severity: 'error',
  why: 'AWS rejects this value. Checks that depend on it were skipped.',
  source: MAPPING,
  check: (mapping) =>
    settingsOf(mapping).flatMap(({ resource, name, setting, source }): Problem[] => {
      if (setting.state !== 'unknown' || setting.fix === undefined) return []
      return [{ ...problem(resource, setting, `${name}: ${setting.reason}`, setting.fix), source }]
    }),
}
