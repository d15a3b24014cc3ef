import { stringify } from 'yaml'
import { type Mapping, valueIn } from '../model.ts'
import type { Cell } from './result.ts'

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
export function visibilityTimeout({ timeout, window = 0 }: PatchSettings): number {
  return 6 * timeout + window
}

/**
 * The recommended settings as YAML. With the mapping of a template, it contains only the settings to change, under the
 * same logical ids. Otherwise, it is a SAM template without the code of the function.
 */
export function patchFor(cell: Cell, settings: PatchSettings, target?: Mapping): string {
  return target ? changesOf(cell, settings, target) : templateOf(cell, settings)
}

function functionOf({ memory, concurrency }: Cell, { timeout }: PatchSettings): Properties {
  const Variables = { BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) }
  return { MemorySize: memory, Timeout: timeout, Environment: { Variables } }
}

/** Lambda accepts a maximum concurrency of 2 to 1,000, and none in provisioned mode. */
function canLimit(environments: number, target?: Mapping): boolean {
  return environments >= 2 && !(target && valueIn(target.provisioned) !== false)
}

function mappingOf({ environments, batchSize, window }: PatchSettings, target?: Mapping): Properties {
  return {
    BatchSize: batchSize,
    ...(window === undefined ? {} : { MaximumBatchingWindowInSeconds: window }),
    ...(canLimit(environments, target) ? { ScalingConfig: { MaximumConcurrency: environments } } : {}),
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  }
}

function templateOf(cell: Cell, settings: PatchSettings): string {
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
        Properties: { Runtime: 'nodejs24.x', ...functionOf(cell, settings), Events },
      },
      Queue: {
        Type: 'AWS::SQS::Queue',
        Properties: { ...fifo, VisibilityTimeout: visibilityTimeout(settings), RedrivePolicy },
      },
      DeadLetterQueue: { Type: 'AWS::SQS::Queue', Properties: { ...fifo, MessageRetentionPeriod: 1_209_600 } },
    },
  })
}

function changesOf(cell: Cell, settings: PatchSettings, target: Mapping): string {
  const owner = target.function.aliasOf ?? target.function
  const [resource = '', event] = target.id.split('/')
  const mapping = mappingOf(settings, target)
  const notes = ['Merge these settings into your template.', ...limitNotes(settings, target)]
  const resources: Record<string, { Properties: Properties }> = {}
  if (owner.unreadReason === undefined) resources[owner.id] = { Properties: functionOf(cell, settings) }
  else {
    const { memory, concurrency } = cell
    const settingsOf = `MemorySize ${memory}, Timeout ${settings.timeout}, BOUNDED_SQS_BATCH_CONCURRENCY ${concurrency}`
    notes.push(`The function is not in this template (${owner.unreadReason}). Where it is defined, set ${settingsOf}.`)
  }
  if (target.isFromSnsEvent)
    notes.push('SAM cannot set these settings of the mapping for SqsSubscription. `doctor` says what to do instead.')
  else if (event === undefined) resources[resource] = { Properties: mapping }
  else {
    const Events = { [event]: { Properties: mapping } }
    resources[resource] = { Properties: { ...resources[resource]?.Properties, Events } }
  }
  const visible = visibilityTimeout(settings)
  if (target.queue.unreadReason === undefined)
    resources[target.queue.id] = { Properties: { VisibilityTimeout: visible } }
  else
    notes.push(
      `The queue is not in this template (${target.queue.unreadReason}). Where it is defined, set VisibilityTimeout ${visible}.`,
    )
  return withNotes(notes, { Resources: resources })
}

function limitNotes({ environments }: PatchSettings, target?: Mapping): string[] {
  if (canLimit(environments, target)) return reservedNotes(environments, target)
  if (environments >= 2)
    return [
      `Provisioned mode has no MaximumConcurrency, so this patch does not limit the function to ${environments} environments.`,
    ]
  return ['MaximumConcurrency is missing, because it must be at least 2. To set it, run tune with --environments 2.']
}

/** Lambda throttles invocations above the reserved concurrency, so the maximum concurrency must not exceed it. */
function reservedNotes(environments: number, target?: Mapping): string[] {
  const reserved = target && valueIn(target.function.reservedConcurrency)
  if (reserved === undefined || reserved >= environments) return []
  return [
    `The reserved concurrency of the function is ${reserved}. Set ReservedConcurrentExecutions to ${environments} or more.`,
  ]
}

function withNotes(notes: readonly string[], template: object): string {
  return [...notes.map((note) => `# ${note}`), stringify(template)].join('\n')
}
