import { availableParallelism, loadavg } from 'node:os'
import { UsageError } from '../errors.ts'
import { formatNumber } from '../local/display.ts'
import { environmentOf } from '../local/env-flags.ts'
import { readMessagesFile } from '../local/messages.ts'
import { REALLY_RUNS, refuseIf, splitExport } from '../local/options.ts'
import { checkFile } from '../local/run.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions } from '../local/runtime/environment.ts'
import {
  checkTemplateFlags,
  functionRows,
  type Row,
  readSettings,
  settingsLine,
  type TemplateFlags,
  type TemplateSettings,
} from '../local/template-flags.ts'
import type { Mapping } from '../model.ts'
import { maxSteps } from './climb.ts'
import { MIN_ROUNDS } from './confidence.ts'
import { DEFAULT_BATCH_SIZE, MAX_ENVIRONMENTS, MEMORIES, type Range } from './defaults.ts'
import { MAX_CONFIRMATIONS, type Plan } from './explore.ts'
import { maxMessages } from './measure.ts'
import type { PatchSettings } from './patch.ts'
import { type Arch, pricesFor } from './prices.ts'
import type { Optimize } from './result.ts'
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

/** A recommended cell and its four neighbours are measured together. */
const CONFIRMED_AT_ONCE = 5

type Name = ReturnType<typeof functionRows>[number][0] | 'environments'

function rowsOf(mapping: Mapping): Row<Name>[] {
  const whenAbsent = 'has no MaximumConcurrency, so tune starts one environment. Use --environments to start more'
  return [...functionRows(mapping), ['environments', 'maximum concurrency', mapping.maximumConcurrency, '', whenAbsent]]
}

export interface TuneOptions {
  function: FunctionOptions
  sample: Sample
  plan: Plan
  patch: PatchSettings
  /** The mapping in the template. */
  mapping: Mapping | undefined
  /** The maximum number of messages that the run delivers. */
  maxMessages: number
  /** Texts to print before the run. */
  lines: string[]
}

/** Converts flags, and the settings of a template that they do not override, to the options of a run. */
export async function toTuneOptions(handler: string, flags: TuneFlags): Promise<TuneOptions> {
  refuseIf(process.platform === 'win32', 'tune needs a POSIX shell: run it on Linux, macOS or WSL')
  const { file, exportName } = splitExport(handler, 'handler')
  checkFile(file)
  const template = await templateOf(flags)
  const { taken } = template
  const fifo = taken.fifo === true
  const lines = [...template.lines]

  const timeout = flags.timeout ?? Number(taken.timeout ?? FUNCTION_DEFAULTS.timeout / 1000)
  const environments = flags.environments ?? Number(taken.environments ?? 1)
  refuseIf(
    flags.environments === undefined && Number(taken.environments) < 2,
    `the maximum concurrency in ${flags.template} is ${environments}, but Lambda accepts 2 to 1,000`,
  )
  refuseIf(
    environments > MAX_ENVIRONMENTS,
    `the maximum concurrency in ${flags.template} is ${environments}, but tune starts at most ${MAX_ENVIRONMENTS} environments. Set a lower number with --environments`,
  )
  const wanted = flags.batchSize ?? Number(taken.batchSize ?? (fifo ? 10 : DEFAULT_BATCH_SIZE))
  refuseIf(fifo && wanted > 10, `--batch-size ${wanted} is too large: Lambda allows at most 10 on a FIFO queue`)
  const sample = createSample(await readMessagesFile(flags.messagesFile, fifo), wanted, fifo)
  const { batchSize } = sample
  const window = fifo ? undefined : Math.max(Number(taken.window ?? 0), batchSize > 10 ? 1 : 0)

  const isDefault = (name: keyof TuneFlags & Name) => flags[name] === undefined && taken[name] === undefined
  const note = (name: keyof TuneFlags & Name) => (isDefault(name) ? ` (the default; --${toFlag(name)} changes it)` : '')
  lines.push(
    `${formatNumber(environments)} environment${environments === 1 ? '' : 's'}${note('environments')}, ` +
      `batches of ${formatNumber(batchSize)}${note('batchSize')}, a timeout of ${formatNumber(timeout)} s${note('timeout')}`,
  )
  if (batchSize < wanted) {
    lines.push(
      `a batch has about ${formatNumber(batchSize)} records and not ${formatNumber(wanted)}, because an event has at most 6 MB`,
    )
  }

  const memories = flags.memory ?? withMemory(taken.memory)
  const { least, most } = rangeOf(flags.concurrency, environments, batchSize)
  if (Math.floor(flags.concurrency.most / environments) > batchSize) {
    lines.push(
      `a batch has ${formatNumber(batchSize)} records, so tune tries no concurrency above ${formatNumber(batchSize)}`,
    )
  }
  const cores = availableParallelism()
  const [load = 0] = loadavg()
  if (load > cores) {
    lines.push(
      `warning: other programs use this machine (a load of ${load.toFixed(1)} on ${cores} cores), so the figures are less reliable`,
    )
  }
  const prices = pricesFor(flags.arch, fifo, flags.price)
  const setting = { environments, batchSize, bodyBytes: sample.bodyBytes, prices, timeout }
  const steps = maxSteps(least, most) + memories.length + (flags.confirm ? MAX_CONFIRMATIONS * CONFIRMED_AT_ONCE : 0)
  const needed = maxMessages({ environments, sample }, MIN_ROUNDS)
  refuseIf(
    flags.messages !== undefined && flags.messages < needed,
    `--messages ${flags.messages} is too low: tune needs at least ${needed} messages for one concurrency. Raise it, or lower --batch-size`,
  )
  const total = Math.min(steps * maxMessages({ environments, sample }), flags.messages ?? Number.POSITIVE_INFINITY)
  lines.push(
    `${REALLY_RUNS}. It receives up to ${formatNumber(total)} messages` +
      (flags.messages === undefined ? ' (--messages sets a limit)' : ''),
  )
  return {
    function: { file, exportName, timeout: timeout * 1000, env: { ...template.templateEnv, ...environmentOf(flags) } },
    sample,
    plan: { least, most, memories, setting, optimize: flags.optimize },
    patch: { environments, batchSize, window, timeout },
    mapping: template.mapping,
    maxMessages: total,
    lines,
  }
}

type Template = Pick<TemplateSettings<Name>, 'taken' | 'templateEnv' | 'lines'> & { mapping: Mapping | undefined }

async function templateOf(flags: TuneFlags): Promise<Template> {
  checkTemplateFlags(flags)
  const { template: file } = flags
  if (file === undefined) return { taken: {}, templateEnv: {}, lines: [], mapping: undefined }
  const isGiven = (name: Name) => name in flags && flags[name as keyof TuneFlags] !== undefined
  const { mapping, taken, templateEnv, shown, lines } = await readSettings(file, flags, rowsOf, isGiven, [
    'DEAD_LETTER_QUEUE_URL',
  ])
  return { mapping, taken, templateEnv, lines: [settingsLine(mapping, file, shown, templateEnv), ...lines] }
}

function toFlag(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The default sizes, and the size of the template. */
function withMemory(memory: unknown): number[] {
  const all = new Set([...MEMORIES, ...(typeof memory === 'number' ? [memory] : [])])
  return [...all].sort((a, b) => a - b)
}

/** The range of the concurrency of one environment. Its end is at most the batch size: more cannot be in flight. */
function rangeOf({ least, most }: Range, environments: number, batchSize: number): Range {
  const each = { least: Math.ceil(least / environments), most: Math.floor(most / environments) }
  if (each.most < each.least) {
    throw new UsageError(
      `--concurrency ${least}..${most} is the total of ${environments} environments, but contains no multiple of ${environments}. Raise the higher number`,
    )
  }
  return { least: Math.min(each.least, batchSize), most: Math.min(each.most, batchSize) }
}
