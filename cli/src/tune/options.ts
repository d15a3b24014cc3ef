import { availableParallelism, loadavg } from 'node:os'
import { FUNCTION_DEFAULTS, type FunctionOptions } from '../local/environment/environment.ts'
import { readMessagesFile } from '../local/queue/messages-file.ts'
import { variablesOf } from '../run-options/env-flags.ts'
import {
  checkTemplateFlags,
  readSettings,
  type SettingName,
  settingsLine,
  type TemplateFlags,
  type TemplateSettings,
} from '../run-options/template-settings.ts'
import { refuseIf } from '../shared/errors.ts'
import { countOf } from '../shared/format.ts'
import { checkHandlerFile, splitExport } from '../shared/handler-file.ts'
import { formatDuration, formatFigure } from './format.ts'
import { DEFAULT_BATCH_SIZE, MEMORIES, type Plan } from './predict.ts'
import type { Optimize } from './result.ts'
import { createSample } from './sample.ts'
import type { Range } from './search.ts'

/** More would share the processors of this machine, and slow each other down. */
const MAX_ENVIRONMENTS = 2

/** The flags of `tune` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface TuneFlags extends TemplateFlags {
  messagesFile: string
  /** Milliseconds. */
  time: number
  memory?: number[]
  concurrency: Range
  batchSize?: number
  timeout?: number
  optimize: Optimize
  report?: string
  json?: boolean
}

/** Converts flags, and the settings of a template that they do not override, to the options of a run. */
export async function toTuneOptions(handler: string, flags: TuneFlags) {
  refuseIf(process.platform === 'win32', 'tune needs a POSIX shell: run it on Linux, macOS or WSL')
  const { file, exportName } = splitExport(handler)
  checkHandlerFile(file)
  const { values, templateEnv, notes } = await settingsFromTemplate(flags)
  const fifo = values.fifo === true
  const timeout = flags.timeout ?? Number(values.timeout ?? FUNCTION_DEFAULTS.timeout / 1000)
  const maximumConcurrency = values.environments === undefined ? undefined : Number(values.environments)
  const environments = Math.min(MAX_ENVIRONMENTS, maximumConcurrency ?? 1)
  const wanted = flags.batchSize ?? Number(values.batchSize ?? (fifo ? 10 : DEFAULT_BATCH_SIZE))
  refuseIf(fifo && wanted > 10, `--batch-size ${wanted} is too large: Lambda allows at most 10 on a FIFO queue`)
  const sample = createSample(await readMessagesFile(flags.messagesFile, fifo), wanted, fifo)
  const { batchSize, bodyBytes } = sample
  const env = { ...templateEnv, ...variablesOf(flags) }
  const functionOptions: FunctionOptions = { file, exportName, timeout: timeout * 1000, env }
  const memories = flags.memory ?? [...new Set([...MEMORIES, Number(values.memory ?? MEMORIES[0])])]
  const plan: Plan = {
    workload: { environments, maximumConcurrency, batchSize, bodyBytes, fifo, timeout },
    memories,
    canUseMore: flags.memory === undefined,
    optimize: flags.optimize,
  }
  const [load = 0] = loadavg()
  const isBusy = load > availableParallelism()
  return {
    functionOptions,
    fifo,
    sample,
    plan,
    range: rangeOf(flags.concurrency, environments, batchSize),
    /** The batching window, in seconds. */
    window: Number(values.window ?? (batchSize > 10 ? 1 : 0)),
    /** To print before the run, one line each. */
    notes: [
      ...notes,
      ...(isBusy
        ? [`warning: other programs use this machine (a load of ${load.toFixed(1)}), so figures can be wrong`]
        : []),
      ...(batchSize < wanted
        ? [`batches have about ${formatFigure(batchSize)} records, because an event has at most 6 MB`]
        : []),
      `up to ${formatDuration(flags.time)}, ${countOf(environments, 'environment')}, batches of ${formatFigure(batchSize)}, ` +
        `a timeout of ${formatFigure(timeout)} s; your handler really runs, and calls other systems`,
    ],
  }
}

async function settingsFromTemplate(
  flags: TuneFlags,
): Promise<Pick<TemplateSettings, 'values' | 'templateEnv' | 'notes'>> {
  checkTemplateFlags(flags)
  const { template: file } = flags
  if (file === undefined) return { values: {}, templateEnv: {}, notes: [] }
  const isWanted = (name: SettingName) =>
    name !== 'visibilityTimeout' && name !== 'maxReceives' && flags[name as keyof TuneFlags] === undefined
  const settings = await readSettings(file, flags, isWanted, ['DEAD_LETTER_QUEUE_URL'])
  const { values, templateEnv, notes } = settings
  return { values, templateEnv, notes: [settingsLine(settings, file), ...notes] }
}

/** The concurrency of one environment is at most the batch size, because a batch has no more records. */
function rangeOf({ least, most }: Range, environments: number, batchSize: number): Range {
  const inRange = (concurrency: number) => Math.min(batchSize, Math.max(1, Math.floor(concurrency / environments)))
  return { least: inRange(least), most: inRange(most) }
}
