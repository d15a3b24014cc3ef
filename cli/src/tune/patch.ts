import { stringify } from 'yaml'
import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { formatNumber } from '../shared/format.ts'
import type { Combination } from './figures/result.ts'
import { batchTimes } from './predict.ts'
import type { Workload } from './prices.ts'

/**
 * What the patch sets. A setting is undefined if the template has it, but its value is not known. Then the patch omits
 * it.
 */
export interface PatchSettings {
  environments: number | undefined
  batchSize: number | undefined
  /** Seconds. Also undefined on a FIFO queue, which has no batching window. */
  window: number | undefined
  /** Seconds. */
  timeout: number | undefined
  /** What the run used instead. */
  measured: Pick<Workload, 'environments' | 'batchSize' | 'timeout'> & {
    /** As many records as fit into an event on average. */
    mostRecords: number
  }
}

/** In YAML, those that are undefined are omitted. */
type Properties = Record<string, unknown>

/** Six times the timeout of the function, plus the batching window: what AWS recommends. */
function visibilityTimeout({ timeout, window = 0, measured }: PatchSettings): number {
  return 6 * (timeout ?? measured.timeout) + window
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
  return `${comments([...notes, ...measuredNotes(combination, settings)])}${patch}`
}

/** Under what settings the figures were measured, and what to check if the patch has others. */
function measuredNotes(combination: Combination, settings: PatchSettings): string[] {
  const { environments = 0, batchSize, timeout, measured } = settings
  const used = `${formatNumber(measured.environments)} environment${measured.environments === 1 ? '' : 's'}`
  const notes = [
    `Measured with ${used}, batches of ${formatNumber(measured.batchSize)} records, and a timeout of ${formatNumber(measured.timeout)} s.`,
  ]
  const fullBatch = batchSize === undefined ? undefined : Math.min(batchSize, measured.mostRecords)
  if (fullBatch !== measured.batchSize || timeout !== measured.timeout) {
    notes.push(fullBatchNote(combination, fullBatch, settings))
  }
  if (environments > measured.environments) {
    const inFlight = (count: number) => formatNumber(count * combination.concurrency)
    notes.push(
      `MaximumConcurrency ${formatNumber(environments)} was not measured. With it, up to ${inFlight(environments)} records are in flight at once, and tune measured at most ${inFlight(measured.environments)}. ` +
        'Check that the services that the handler calls can process them, or lower MaximumConcurrency.',
    )
  }
  return notes
}

/** What to check at the real batch size and timeout, and the flags that measure it. */
function fullBatchNote(
  combination: Combination,
  fullBatch: number | undefined,
  { timeout, measured }: PatchSettings,
): string {
  const { memory, concurrency } = combination
  const what =
    fullBatch === undefined ? 'the batch size of the template' : `batches of ${formatNumber(fullBatch)} records`
  const fits = `and that the process fits into ${formatNumber(memory)} MB`
  if (fullBatch === undefined || timeout === undefined) {
    return `Before you deploy, check with ${what} that a batch ends before the timeout of the template, ${fits}.`
  }
  const real = { ...measured, batchSize: fullBatch, timeout }
  const { needed, available } = batchTimes(combination, real)
  const [takes, left] = [needed, available].map((ms) => (ms / 1000).toFixed(1))
  const flags = `--batch-size ${fullBatch} --timeout ${timeout} --memory ${memory} --concurrency ${concurrency * measured.environments}`
  return (
    `Before you deploy, check with ${what} that a batch ends before the timeout of ${formatNumber(timeout)} s, ${fits}: tune ${flags}. ` +
    `At the measured speed, a batch takes ${takes} s, ${needed > available ? 'but' : 'and'} the timeout leaves ${left} s` +
    `${needed > available ? '. So lower BatchSize or raise Timeout.' : '.'}`
  )
}

function functionOf({ memory, concurrency }: Combination, { timeout }: PatchSettings): Properties {
  const Variables = { BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) }
  return { MemorySize: memory, Timeout: timeout, Environment: { Variables } }
}

/** In provisioned mode, Lambda rejects a maximum concurrency, so the patch omits it also if the mode is not known. */
function isOnDemand(mapping: Mapping): boolean {
  return valueIn(mapping.provisioned) === false
}

/** The least maximum concurrency that Lambda accepts. */
const MIN_ENVIRONMENTS = 2

function mappingOf({ environments = 0, batchSize, window }: PatchSettings, mapping?: Mapping): Properties {
  const canLimit = environments >= MIN_ENVIRONMENTS && (mapping === undefined || isOnDemand(mapping))
  return {
    BatchSize: batchSize,
    MaximumBatchingWindowInSeconds: window,
    ScalingConfig: canLimit ? { MaximumConcurrency: environments } : undefined,
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
  const [resource, event] = mapping.id.split('/') as [string, string?]
  const properties = mappingOf(settings, mapping)
  const notes = ['Merge these settings into your template.', ...limitNotes(settings, mapping)]
  const resources: Record<string, { Properties: Properties }> = {}
  if (owner.unreadReason === undefined) resources[owner.id] = { Properties: functionOf(combination, settings) }
  else {
    const { memory, concurrency } = combination
    const timeout = settings.timeout === undefined ? '' : `Timeout ${settings.timeout}, `
    const settingsOf = `MemorySize ${memory}, ${timeout}BOUNDED_SQS_BATCH_CONCURRENCY ${concurrency}`
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
  if (environments === undefined) return []
  if (environments < MIN_ENVIRONMENTS) {
    return ['MaximumConcurrency is missing, because it must be at least 2. To set it, run tune with --environments 2.']
  }
  if (mapping === undefined || isOnDemand(mapping)) return reservedNotes(environments, mapping)
  const noLimit = `this patch does not limit the function to ${environments} environments.`
  return mapping.provisioned.state === 'unknown'
    ? [`It is not known whether the mapping is in provisioned mode, which has no MaximumConcurrency. So ${noLimit}`]
    : [`Provisioned mode has no MaximumConcurrency, so ${noLimit}`]
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
