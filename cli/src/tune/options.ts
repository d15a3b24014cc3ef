import { availableParallelism, loadavg } from 'node:os'
import { variablesOf } from '../handler/env-flags.ts'
import { REAL_CALLS_WARNING, splitExport } from '../handler/flags.ts'
import {
  checkTemplateFlags,
  readSettings,
  type SettingName,
  settingsLine,
  type TemplateFlags,
  type TemplateSettings,
} from '../handler/template-settings.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions } from '../local/simulator/environment.ts'
import { readMessagesFile } from '../local/simulator/messages.ts'
import { checkFile } from '../local/simulator/run.ts'
import type { Mapping } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { UsageError } from '../shared/errors.ts'
import { refuseIf } from '../shared/flags.ts'
import { formatNumber } from '../shared/format.ts'
import { templateAt } from '../template/assembly.ts'
import { DEFAULT_BATCH_SIZE, MEMORIES, MORE_MEMORIES, type Range } from './defaults.ts'
import type { Plan } from './explore.ts'
import { PRECISION, type Precision } from './figures/confidence.ts'
import type { Optimize } from './figures/result.ts'
import type { PatchSettings } from './patch.ts'
import { type Arch, pricesFor, type Workload } from './prices.ts'
import { createSample, type Sample } from './sample.ts'

/** The flags of `tune` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface TuneFlags extends TemplateFlags {
  messagesFile: string
  messages?: number
  memory?: number[]
  quick?: boolean
  yes?: boolean
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

/** What depends on the batch size and on how exact the figures are. */
export interface Run {
  sample: Sample
  plan: Plan
  patch: PatchSettings
}

export interface TuneOptions {
  function: FunctionOptions
  environments: number
  fifo: boolean
  /** The run with batches of at most this size. */
  run: (batchSize: number, precision: Precision) => Run
  /** The batch size of the flags or the template. */
  batchSize: number
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
  const { file, exportName } = splitExport(handler)
  checkFile(file)
  const template = await settingsFromTemplate(flags)
  const { values } = template
  const fifo = values.fifo === true

  const timeout = flags.timeout ?? Number(values.timeout ?? FUNCTION_DEFAULTS.timeout / 1000)
  const { environments, notes: environmentNotes } = environmentsOf(flags, values, processors)
  const wanted = batchSizeOf(flags, values, fifo)
  const messages = await readMessagesFile(flags.messagesFile, fifo)
  const memories = flags.memory ?? withMemory(values.memory)
  const prices = pricesFor(flags.arch, fifo, flags.price)
  function run(maxBatchSize: number, precision: Precision): Run {
    const sample = createSample(messages, maxBatchSize, fifo)
    const { batchSize, bodyBytes, mostRecords } = sample
    const workload = { environments, batchSize, bodyBytes, prices, timeout }
    return {
      sample,
      plan: {
        ...rangeOf(flags.concurrency, environments, batchSize),
        memories,
        moreMemories: flags.memory ? [] : MORE_MEMORIES,
        precision,
        workload,
        optimize: flags.optimize,
      },
      patch: patchSettings(template.mapping, wanted, workload, mostRecords, fifo),
    }
  }
  const { workload } = run(wanted, PRECISION).plan
  const needed = environments * Math.max(workload.batchSize, 100) * (1 + PRECISION.minRounds)
  refuseIf(
    flags.messages !== undefined && flags.messages < needed,
    `--messages ${flags.messages} is too low: tune needs at least ${needed} messages for one concurrency. Raise it, or lower --batch-size`,
  )
  return {
    function: { file, exportName, timeout: timeout * 1000, env: { ...template.templateEnv, ...variablesOf(flags) } },
    environments,
    fifo,
    run,
    batchSize: wanted,
    mapping: template.mapping,
    maxMessages: flags.messages ?? Number.POSITIVE_INFINITY,
    notes: [...template.notes, ...environmentNotes, ...notesOf(flags, values, workload, wanted)],
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
  return [...notes, `${REAL_CALLS_WARNING}, and calls the systems that its environment variables point to`]
}

type Values = TemplateSettings['values']

type SettingsFromTemplate = Pick<TemplateSettings, 'values' | 'templateEnv' | 'notes'> & {
  mapping: Mapping | undefined
}

async function settingsFromTemplate(flags: TuneFlags): Promise<SettingsFromTemplate> {
  checkTemplateFlags(flags)
  const { template } = flags
  if (template === undefined) return { values: {}, templateEnv: {}, notes: [], mapping: undefined }
  const file = templateAt(template)
  const isWanted = (name: SettingName) =>
    name !== 'visibilityTimeout' && name !== 'maxReceives' && flags[name as keyof TuneFlags] === undefined
  const { mapping, values, templateEnv, usedSettings, notes } = await readSettings(file, flags, isWanted, [
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
