import { stringify } from 'yaml'
import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import type { Combination } from './figures/result.ts'

export interface PatchSettings {
  environments: number
  batchSize: number
  /** Seconds. Undefined on a FIFO queue, which has no batching window. */
  window: number | undefined
  /** Seconds. */
  timeout: number
}

type Properties = Record<string, unknown>

/** Six times the timeout of the function, plus the batching window: what AWS recommends. */
function visibilityTimeout({ timeout, window = 0 }: PatchSettings): number {
  return 6 * timeout + window
}

/**
 * The recommended settings as YAML. With the mapping of a template, they are under its logical ids, to be merged into
 * it. Otherwise, the result is a SAM template without the code of the function.
 *
 * @param notes the first comments of the YAML
 */
export function patchFor(
  combination: Combination,
  settings: PatchSettings,
  notes: readonly string[],
  mapping?: Mapping,
): string {
  const patch = mapping ? changesOf(combination, settings, mapping) : samTemplate(combination, settings)
  return `${comments(notes)}${patch}`
}

function functionOf({ memory, concurrency }: Combination, { timeout }: PatchSettings): Properties {
  const Variables = { BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) }
  return { MemorySize: memory, Timeout: timeout, Environment: { Variables } }
}

/**
 * Lambda accepts 2 to 1,000 as the maximum concurrency. In provisioned mode, it rejects the setting, so the patch omits
 * it also if the mode is not known.
 */
function canLimit(environments: number, mapping?: Mapping): boolean {
  return environments >= 2 && !(mapping && valueIn(mapping.provisioned) !== false)
}

function mappingOf({ environments, batchSize, window }: PatchSettings, mapping?: Mapping): Properties {
  return {
    BatchSize: batchSize,
    ...(window === undefined ? {} : { MaximumBatchingWindowInSeconds: window }),
    ...(canLimit(environments, mapping) ? { ScalingConfig: { MaximumConcurrency: environments } } : {}),
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  }
}

function samTemplate(combination: Combination, settings: PatchSettings): string {
  const { window } = settings
  const fifo = window === undefined ? { FifoQueue: true } : {}
  const arn = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] })
  const Events = { Messages: { Type: 'SQS', Properties: { Queue: arn('Queue'), ...mappingOf(settings) } } }
  const RedrivePolicy = { deadLetterTargetArn: arn('DeadLetterQueue'), maxReceiveCount: 5 }
  return withNotes(['Add CodeUri and Handler, or merge these settings into your template.', ...limitNotes(settings)], {
    Transform: 'AWS::Serverless-2016-10-31',
    Resources: {
      Function: {
        Type: 'AWS::Serverless::Function',
        Properties: { Runtime: 'nodejs24.x', ...functionOf(combination, settings), Events },
      },
      Queue: {
        Type: 'AWS::SQS::Queue',
        Properties: { ...fifo, VisibilityTimeout: visibilityTimeout(settings), RedrivePolicy },
      },
      DeadLetterQueue: { Type: 'AWS::SQS::Queue', Properties: { ...fifo, MessageRetentionPeriod: 1_209_600 } },
    },
  })
}

function changesOf(combination: Combination, settings: PatchSettings, mapping: Mapping): string {
  const owner = mapping.function.aliasOf ?? mapping.function
  const [resource = '', event] = mapping.id.split('/')
  const properties = mappingOf(settings, mapping)
  const notes = ['Merge these settings into your template.', ...limitNotes(settings, mapping)]
  const resources: Record<string, { Properties: Properties }> = {}
  if (owner.unreadReason === undefined) resources[owner.id] = { Properties: functionOf(combination, settings) }
  else {
    const { memory, concurrency } = combination
    const settingsOf = `MemorySize ${memory}, Timeout ${settings.timeout}, BOUNDED_SQS_BATCH_CONCURRENCY ${concurrency}`
    notes.push(`The function is not in this template (${owner.unreadReason}). Where it is defined, set ${settingsOf}.`)
  }
  if (mapping.isFromSnsEvent)
    notes.push('SAM cannot set these settings of the mapping for SqsSubscription. `doctor` says what to do instead.')
  else if (event === undefined) resources[resource] = { Properties: properties }
  else {
    const Events = { [event]: { Properties: properties } }
    resources[resource] = { Properties: { ...resources[resource]?.Properties, Events } }
  }
  // Another mapping of the queue may need a higher value than this one, so the value of the template is not lowered.
  const visible = Math.max(visibilityTimeout(settings), valueIn(mapping.queue.visibilityTimeout) ?? 0)
  if (mapping.queue.unreadReason === undefined)
    resources[mapping.queue.id] = { Properties: { VisibilityTimeout: visible } }
  else
    notes.push(
      `The queue is not in this template (${mapping.queue.unreadReason}). Where it is defined, set VisibilityTimeout ${visible}.`,
    )
  return withNotes(notes, { Resources: resources })
}

function limitNotes({ environments }: PatchSettings, mapping?: Mapping): string[] {
  if (canLimit(environments, mapping)) return reservedNotes(environments, mapping)
  if (environments >= 2) {
    const noLimit = `this patch does not limit the function to ${environments} environments.`
    return mapping?.provisioned.state === 'unknown'
      ? [`It is not known whether the mapping is in provisioned mode, which has no MaximumConcurrency. So ${noLimit}`]
      : [`Provisioned mode has no MaximumConcurrency, so ${noLimit}`]
  }
  return ['MaximumConcurrency is missing, because it must be at least 2. To set it, run tune with --environments 2.']
}

/** Lambda throttles invocations above the reserved concurrency, so the maximum concurrency must not exceed it. */
function reservedNotes(environments: number, mapping?: Mapping): string[] {
  const reserved = mapping && valueIn(mapping.function.reservedConcurrency)
  if (reserved === undefined || reserved >= environments) return []
  return [
    `The reserved concurrency of the function is ${reserved}. Set ReservedConcurrentExecutions to ${environments} or more.`,
  ]
}

function withNotes(notes: readonly string[], template: object): string {
  return `${comments(notes)}${stringify(template)}`
}

function comments(notes: readonly string[]): string {
  return notes.map((note) => `# ${note}\n`).join('')
}
