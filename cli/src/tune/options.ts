import { availableParallelism, loadavg } from 'node:os'
import { formatNumber } from '../local/display.ts'
import { variablesOf } from '../local/env-flags.ts'
import { readMessagesFile } from '../local/messages.ts'
import { REAL_CALLS_WARNING, refuseIf, splitExport } from '../local/options.ts'
import { checkFile } from '../local/run.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions } from '../local/runtime/environment.ts'
import {
  checkTemplateFlags,
  functionRows,
  readSettings,
  type SettingRow,
  settingsLine,
  type TemplateFlags,
  type TemplateSettings,
} from '../local/template-flags.ts'
import type { Mapping } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { UsageError } from '../shared/errors.ts'
import { DEFAULT_BATCH_SIZE, MEMORIES, MORE_MEMORIES, type Range } from './defaults.ts'
import { MAX_CONFIRMATION_ROUNDS, type Plan } from './explore.ts'
import { planSearch } from './figures/climb.ts'
import { PRECISION } from './figures/confidence.ts'
import type { Optimize } from './figures/result.ts'
import type { PatchSettings } from './patch.ts'
import { type Arch, pricesFor, type Workload } from './prices.ts'
import { createSample, type Sample } from './sample.ts'

/** The flags of `tune` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface TuneFlags extends TemplateFlags {
  messagesFile: string
  messages?: number
  memory?: number[]
  concurrency: Range
  batchSize?: number
  environments?: number
  timeout?: number
  optimize: Optimize
  arch: Arch
  price?: string[]
  confirm?: boolean
  payload?: string
  report?: string
  json?: boolean
}

/** A confirmation measures the recommended combination and up to four neighbours. */
const COMBINATIONS_PER_CONFIRMATION = 5

type SettingName = ReturnType<typeof functionRows>[number]['name'] | 'environments'

function rowsOf(mapping: Mapping): SettingRow<SettingName>[] {
  const whenAbsent = 'has no MaximumConcurrency, so tune starts one environment. Use --environments to start more'
  return [
    ...functionRows(mapping),
    { name: 'environments', title: 'maximum concurrency', setting: mapping.maximumConcurrency, whenAbsent },
  ]
}

export interface TuneOptions {
  function: FunctionOptions
  sample: Sample
  plan: Plan
  patch: PatchSettings
  /** The mapping in the template. */
  mapping: Mapping | undefined
  /** The maximum number of messages that the run delivers. `Infinity` without a limit. */
  maxMessages: number
  /** To print before the run, one line each. */
  notes: string[]
}

/**
 * Converts flags, and the settings of a template that they do not override, to the options of a run.
 *
 * @param processors those that this process may use, which the limits of a container lower
 */
export async function toTuneOptions(
  handler: string,
  flags: TuneFlags,
  processors = availableParallelism(),
): Promise<TuneOptions> {
  refuseIf(process.platform === 'win32', 'tune needs a POSIX shell: run it on Linux, macOS or WSL')
  const { file, exportName } = splitExport(handler, 'handler')
  checkFile(file)
  const template = await settingsFromTemplate(flags)
  const { values } = template
  const fifo = values.fifo === true

  const timeout = flags.timeout ?? Number(values.timeout ?? FUNCTION_DEFAULTS.timeout / 1000)
  const { environments, notes: environmentNotes } = environmentsOf(flags, values, processors)
  const wanted = batchSizeOf(flags, values, fifo)
  const sample = createSample(await readMessagesFile(flags.messagesFile, fifo), wanted, fifo)
  const { batchSize } = sample
  const memories = flags.memory ?? withMemory(values.memory)
  const { least, most } = rangeOf(flags.concurrency, environments, batchSize)
  const prices = pricesFor(flags.arch, fifo, flags.price)
  const workload = { environments, batchSize, bodyBytes: sample.bodyBytes, prices, timeout }
  const { scan, contenders, rounds } = planSearch(least, most, PRECISION)
  const confirmations = flags.confirm ? MAX_CONFIRMATION_ROUNDS * COMBINATIONS_PER_CONFIRMATION : 0
  const perRound = environments * Math.max(batchSize, 100)
  const allRounds = 2 * scan.length + (contenders + memories.length + confirmations) * (1 + rounds)
  const needed = perRound * (1 + PRECISION.minRounds)
  refuseIf(
    flags.messages !== undefined && flags.messages < needed,
    `--messages ${flags.messages} is too low: tune needs at least ${needed} messages for one concurrency. Raise it, or lower --batch-size`,
  )
  const total = Math.min(allRounds * perRound, flags.messages ?? Number.POSITIVE_INFINITY)
  return {
    function: { file, exportName, timeout: timeout * 1000, env: { ...template.templateEnv, ...variablesOf(flags) } },
    sample,
    plan: {
      least,
      most,
      memories,
      moreMemories: flags.memory ? [] : MORE_MEMORIES,
      precision: PRECISION,
      workload,
      optimize: flags.optimize,
    },
    patch: patchSettings(template.mapping, wanted, workload, sample.mostRecords, fifo),
    mapping: template.mapping,
    maxMessages: flags.messages ?? Number.POSITIVE_INFINITY,
    notes: [...template.notes, ...environmentNotes, ...notesOf(flags, values, workload, wanted, total)],
  }
}

/**
 * What the patch sets. It keeps the values of a template, because a flag can change them only for this run. It omits a
 * value that the template has but that is not known.
 */
function patchSettings(
  mapping: Mapping | undefined,
  wantedBatchSize: number,
  measured: Workload,
  mostRecords: number,
  fifo: boolean,
): PatchSettings {
  function keep(setting: Setting<number> | undefined, used: number): number | undefined {
    return setting === undefined || setting.state === 'absent' ? used : valueIn(setting)
  }
  const batchSize = keep(mapping?.batchSize, wantedBatchSize)
  const window = fifo ? undefined : keep(mapping?.window, 0)
  return {
    environments: keep(mapping?.maximumConcurrency, measured.environments),
    batchSize,
    window: window === undefined ? undefined : Math.max(window, (batchSize ?? measured.batchSize) > 10 ? 1 : 0),
    timeout: keep(mapping?.function.timeout, measured.timeout),
    measured: { ...measured, mostRecords },
  }
}

/** Environments that share a processor slow each other down, so at most one runs on each. */
function environmentsOf(flags: TuneFlags, values: Values, processors: number) {
  const machine = `this machine has ${processors} processor${processors === 1 ? '' : 's'}`
  const reason = 'because environments that share a processor slow each other down'
  refuseIf(
    (flags.environments ?? 1) > processors,
    `--environments ${flags.environments} is too high: ${machine}, and tune runs at most one environment on each, ${reason}. Use at most ${processors}`,
  )
  const wanted = flags.environments ?? Number(values.environments ?? 1)
  const what = `the maximum concurrency in ${flags.template} is ${formatNumber(wanted)}`
  refuseIf(
    flags.environments === undefined && Number(values.environments) < 2,
    `${what}, but Lambda accepts 2 to 1,000`,
  )
  if (wanted <= processors) return { environments: wanted, notes: [] }
  return {
    environments: processors,
    notes: [`${what}, but ${machine}. So tune runs only ${processors} at once, ${reason}`],
  }
}

function batchSizeOf(flags: TuneFlags, values: Values, fifo: boolean): number {
  const batchSize = flags.batchSize ?? Number(values.batchSize ?? (fifo ? 10 : DEFAULT_BATCH_SIZE))
  refuseIf(
    fifo && batchSize > 10,
    flags.batchSize === undefined
      ? `the batch size in ${flags.template} is ${batchSize}, but Lambda allows at most 10 on a FIFO queue`
      : `--batch-size ${batchSize} is too large: Lambda allows at most 10 on a FIFO queue`,
  )
  return batchSize
}

/** What the user should know before the run: the settings, where they are lower than wanted, and the real calls. */
function notesOf(
  flags: TuneFlags,
  values: Values,
  { environments, batchSize, timeout }: Workload,
  wanted: number,
  total: number,
): string[] {
  const isDefault = (name: keyof TuneFlags & SettingName) => flags[name] === undefined && values[name] === undefined
  const note = (name: keyof TuneFlags & SettingName) =>
    isDefault(name) ? ` (the default; --${toFlag(name)} changes it)` : ''
  const records = formatNumber(batchSize)
  const notes = [
    `${formatNumber(environments)} environment${environments === 1 ? '' : 's'}${note('environments')}, ` +
      `batches of ${records}${note('batchSize')}, a timeout of ${formatNumber(timeout)} s${note('timeout')}`,
  ]
  if (batchSize < wanted) {
    notes.push(
      `a batch has about ${records} records and not ${formatNumber(wanted)}, because an event has at most 6 MB`,
    )
  }
  if (Math.floor(flags.concurrency.most / environments) > batchSize) {
    notes.push(`a batch has ${records} records, so tune tries no concurrency above ${records}`)
  }
  const cores = availableParallelism()
  const [load = 0] = loadavg()
  if (load > cores) {
    notes.push(
      `warning: other programs use this machine (a load of ${load.toFixed(1)} on ${cores} cores), so the figures are less reliable`,
    )
  }
  const limit = flags.messages === undefined ? ' (--messages sets a limit)' : ''
  return [
    ...notes,
    `${REAL_CALLS_WARNING}, and calls the systems that its environment variables point to. It receives ${flags.messages === undefined ? 'about' : 'up to'} ${formatNumber(total)} messages${limit}`,
  ]
}

type Values = TemplateSettings<SettingName>['values']

type SettingsFromTemplate = Pick<TemplateSettings<SettingName>, 'values' | 'templateEnv' | 'notes'> & {
  mapping: Mapping | undefined
}

async function settingsFromTemplate(flags: TuneFlags): Promise<SettingsFromTemplate> {
  checkTemplateFlags(flags)
  const { template: file } = flags
  if (file === undefined) return { values: {}, templateEnv: {}, notes: [], mapping: undefined }
  const isGiven = (name: SettingName) => name in flags && flags[name as keyof TuneFlags] !== undefined
  const { mapping, values, templateEnv, usedSettings, notes } = await readSettings(file, flags, rowsOf, isGiven, [
    'DEAD_LETTER_QUEUE_URL',
  ])
  return { mapping, values, templateEnv, notes: [settingsLine(mapping, file, usedSettings, templateEnv), ...notes] }
}

function toFlag(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The default sizes, and the size of the template. */
function withMemory(memory: unknown): number[] {
  const all = new Set([...MEMORIES, ...(typeof memory === 'number' ? [memory] : [])])
  return [...all].sort((a, b) => a - b)
}

/** The concurrency of one environment is at most the batch size, because a batch has no more records. */
function rangeOf({ least, most }: Range, environments: number, batchSize: number): Range {
  const each = { least: Math.ceil(least / environments), most: Math.floor(most / environments) }
  if (each.most < each.least) {
    throw new UsageError(
      `--concurrency ${least}..${most} is the total of ${environments} environments, but contains no multiple of ${environments}. Raise the higher number`,
    )
  }
  return { least: Math.min(each.least, batchSize), most: Math.min(each.most, batchSize) }
}
