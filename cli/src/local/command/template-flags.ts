import { join } from 'node:path'
import { folderAt } from '../../code/imports.ts'
import { examine } from '../../doctor/examine.ts'
import type { FilterPattern } from '../../model/match-filters.ts'
import type { Mapping, Model } from '../../model/model.ts'
import { type Setting, valueIn } from '../../model/setting.ts'
import { patternsOf } from '../../rules/rule.ts'
import { UsageError } from '../../shared/errors.ts'
import { templateAt } from '../../template/assembly.ts'
import { parseParameters, readTemplate } from '../../template/read-template.ts'
import { type EnvFlags, variablesOf } from './env-flags.ts'
import { DEFAULT_MAX_RECEIVES, type LocalFlags } from './options.ts'

/** Finds the mapping that the run imitates. */
function chooseMapping(file: string, mappings: readonly Mapping[], wanted: string | undefined): Mapping {
  if (mappings.length === 0)
    throw new UsageError(`${file} has no SQS event source mapping, so it has no settings for a run`)
  const found = mappings.filter(
    ({ id, function: { id: target, aliasOf } }) => wanted === undefined || [id, target, aliasOf?.id].includes(wanted),
  )
  const [first, ...more] = found
  if (first && more.length === 0) return first
  const ids = (first ? found : mappings).map(({ id }) => id)
  const some = `${ids.slice(0, 5).join(', ')}${ids.length > 5 ? `, and ${ids.length - 5} more` : ''}`
  throw new UsageError(
    first
      ? `${file} has several SQS event source mappings. Choose one with --template-function ID: ${some}`
      : `${file} has no function or mapping ${wanted} that reads SQS. Its mappings are: ${some}`,
  )
}

export interface TemplateFlags extends EnvFlags {
  template?: string
  parameter?: string[]
  templateFunction?: string
}

interface SettingRow {
  /** The name of the flag. */
  name: string
  title: string
  /** The title in a sentence, if it differs. */
  noun?: string
  setting: Setting<number | boolean>
  unit?: string
  /** What to print if the template does not have the setting. */
  whenAbsent?: string
}

/** The settings of a mapping that `local` or `tune` uses. */
function rowsOf({ batchSize, window, maximumConcurrency, queue, function: { timeout, memory } }: Mapping) {
  const { redrive, fifo, visibilityTimeout } = queue
  const [title, maxReceives] =
    redrive.state === 'known' ? ['max deliveries', redrive.value.maxReceiveCount] : ['redrive policy', redrive]
  return [
    { name: 'batchSize', title: 'batch size', setting: batchSize },
    { name: 'window', title: 'window', setting: window, unit: ' s' },
    { name: 'timeout', title: 'timeout', setting: timeout, unit: ' s' },
    { name: 'memory', title: 'memory', setting: memory, unit: ' MB' },
    { name: 'fifo', title: 'FIFO', noun: 'type of the queue (standard or FIFO)', setting: fifo },
    { name: 'visibilityTimeout', title: 'visibility timeout', setting: visibilityTimeout, unit: ' s' },
    {
      name: 'maxReceives',
      title,
      setting: maxReceives,
      whenAbsent: `has no redrive policy for the queue: messages are dead-lettered after ${DEFAULT_MAX_RECEIVES} deliveries (the default)`,
    },
    {
      name: 'environments',
      title: 'maximum concurrency',
      setting: maximumConcurrency,
      whenAbsent: 'has no MaximumConcurrency, so tune starts one environment. Use --environments to start more',
    },
  ] as const satisfies SettingRow[]
}

export type SettingName = ReturnType<typeof rowsOf>[number]['name']
const QUEUE_FLAGS: readonly SettingName[] = ['fifo', 'visibilityTimeout', 'maxReceives']

export interface TemplateSettings {
  mapping: Mapping
  /** The known values of the wanted settings. */
  values: Partial<Record<SettingName, number | boolean>>
  /** Environment variables with known values. */
  templateEnv: Record<string, string>
  /** Variables that the run would set, but the template does not. */
  notInTemplate: string[]
  /** The settings that are used, as texts such as `timeout 30 s`. */
  usedSettings: string[]
  /** Notes to print, one line each: what is unknown, not set or not applied. */
  notes: string[]
}

/**
 * Reads the settings of a function and its mapping from a template. `isWanted` says whether the run takes a setting from
 * the template. `runSets` names environment variables that the run sets itself.
 */
export async function readSettings(
  file: string,
  flags: TemplateFlags,
  isWanted: (name: SettingName) => boolean,
  runSets: readonly string[],
): Promise<TemplateSettings> {
  const parameters = parseParameters(flags.parameter)
  const model = await readTemplate(file, parameters)
  const mapping = chooseMapping(file, model.mappings, flags.templateFunction)
  refuseErrors(file, model, mapping, parameters)
  refuseOtherFunctions(file, mapping)

  const values: TemplateSettings['values'] = {}
  const usedSettings: string[] = []
  const notes: string[] = []
  const rows: (SettingRow & { name: SettingName })[] = rowsOf(mapping)
  for (const { name, title, noun = title, setting, unit = '', whenAbsent } of rows) {
    if (!isWanted(name)) continue
    // If the template omits the window, AWS's default of 0 is used only if the batch size is from the template, too.
    // With another batch size, this command's default is used, because batches above 10 need a window.
    if (name === 'window' && values.batchSize === undefined && 'isDefault' in setting) continue
    if (setting.state === 'known') {
      values[name] = setting.value
      usedSettings.push(`${title} ${setting.value}${unit}`)
    } else if (setting.state === 'unknown') {
      notes.push(`the ${noun} in ${file} is not known (${setting.reason}), so the default is used`)
    } else notes.push(`${file} ${whenAbsent}`)
  }

  for (const { name, value, isDefault } of model.chosen ?? []) {
    usedSettings.push(`parameter ${name} ${value}`)
    if (isDefault) continue
    notes.push(
      `the parameter ${name} has no default, so this run uses its first allowed value. Choose with --parameter ${name}=…`,
    )
  }

  const { environment } = mapping.function.aliasOf ?? mapping.function
  const { variables = {}, unknown = [] } = environment ?? {}
  const isUnknown = unknown.some(({ name }) => name === undefined)
  const declared = new Set([...Object.keys(variables), ...unknown.map(({ name }) => name)])
  const templateEnv = Object.fromEntries(Object.entries(variables).filter(([name]) => !runSets.includes(name)))
  const given = { ...process.env, ...templateEnv, ...variablesOf(flags) }
  for (const { name, reason } of unknown) {
    if (name === undefined) {
      notes.push(
        `the environment variables in ${file} are not known (${reason}), so they are not set. Set them with --env NAME=…`,
      )
    } else if (given[name] === undefined && !runSets.includes(name)) {
      notes.push(
        `the value of ${name} in ${file} is not known (${reason}), so the variable is not set. Set it with --env ${name}=…`,
      )
    }
  }
  return {
    mapping,
    values,
    templateEnv,
    notInTemplate: isUnknown ? [] : runSets.filter((name) => !declared.has(name)),
    usedSettings,
    notes,
  }
}

/** Refuses a function that Lambda does not run with Node.js, or does not run at all. */
function refuseOtherFunctions(file: string, { function: { id, runtime, reservedConcurrency } }: Mapping) {
  const name = valueIn(runtime) ?? 'nodejs'
  if (!name.startsWith('nodejs')) {
    throw new UsageError(
      `the Runtime of ${id} in ${file} is ${name}, but a run needs a function for Node.js: choose another one with --template-function`,
    )
  }
  if (valueIn(reservedConcurrency) === 0) {
    throw new UsageError(
      `ReservedConcurrentExecutions of ${id} in ${file} is 0, so Lambda does not invoke it, and all messages stay in the queue: ` +
        'remove it, or set it to 1 or more',
    )
  }
}

/** The run itself shows which messages this setting loses. */
const SHOWN_BY_RUN = 'report-batch-item-failures'

/** Refuses a mapping that AWS rejects, or whose settings lose messages: a run would say nothing about it. */
function refuseErrors(file: string, model: Model, mapping: Mapping, parameters: ReadonlyMap<string, string>) {
  const input = { name: file, models: () => [{ ...model, mappings: [mapping] }] }
  const { findings } = examine([input], parameters, [])
  const error = findings.find(
    ({ severity, accepted, rule }) => severity === 'error' && accepted === undefined && rule !== SHOWN_BY_RUN,
  )
  if (!error) return
  const line = error.line === undefined ? '' : ` (line ${error.line})`
  throw new UsageError(
    `doctor finds an error in ${error.file ?? file}. ${error.resource}${line}: ${error.message} ${error.fix} ` +
      `To see all problems, run bounded-sqs-batch doctor ${file}`,
  )
}

/** The line that says which settings of a template are used. */
export function settingsLine(
  { id }: Mapping,
  file: string,
  usedSettings: readonly string[],
  templateEnv: Record<string, string>,
): string {
  const names = Object.keys(templateEnv)
  const variables = names.length > 0 ? [`environment variables ${names.join(', ')}`] : []
  const used = [...usedSettings, ...variables]
  if (used.length === 0) return `no setting of ${id} in ${file} is used`
  return `settings of ${id} in ${file}: ${used.join(', ')}`
}

/** The patterns of a mapping's filters. None are applied if one of them is not known. */
function filtersIn(mapping: Mapping, file: string): { filters: FilterPattern[]; note?: string } {
  const patterns = patternsOf(mapping)
  const unknown = [mapping.filters, ...patterns].find(({ state }) => state === 'unknown')
  if (unknown?.state === 'unknown') {
    const note =
      `warning: the filters in ${file} are not known (${unknown.reason}), so this run delivers all messages. ` +
      'Lambda deletes messages that match no filter'
    return { filters: [], note }
  }
  return { filters: patterns.flatMap((pattern) => JSON.parse(valueIn(pattern)?.json ?? '[]')) }
}

/** The major version of Node in the template, if known. */
export function nodeMajorOf({ function: { runtime } }: Mapping): number | undefined {
  const [, major] = /^nodejs(\d+)\.x$/.exec(valueIn(runtime) ?? '') ?? []
  return major === undefined ? undefined : Number(major)
}

/** The folder that is deployed as it is. Undefined if it is not known, or if a bundler makes the code. */
export function codeRootOf({ function: { code } }: Mapping): string | undefined {
  const [first, ...others] = code?.places ?? []
  if (first === undefined || code?.isBuilt) return undefined
  // A folder around an archive has its source.
  return [first, ...others.filter((place) => !first.startsWith(join(place, '/')))].find(folderAt)
}

/** Refuses --parameter and --template-function without --template. */
export function checkTemplateFlags({ template, parameter, templateFunction }: TemplateFlags): void {
  if (template === undefined && (parameter ?? templateFunction)) {
    throw new UsageError('--parameter and --template-function need --template')
  }
}

/**
 * Adds the settings of a template to the flags, and returns notes about them. Flags on the command line override the
 * template. An existing queue keeps its own settings. If the value of a setting is not known, the default of the
 * command is used.
 */
export async function withTemplate(
  flags: LocalFlags,
): Promise<{ flags: LocalFlags; notes: string[]; mapping?: Mapping }> {
  const { template, queueUrl } = flags
  checkTemplateFlags(flags)
  if (template === undefined) return { flags, notes: [] }
  const file = templateAt(template)
  const { mapping, values, templateEnv, notInTemplate, usedSettings, notes } = await readSettings(
    file,
    flags,
    (name) =>
      name !== 'environments' && flags[name] === undefined && (queueUrl === undefined || !QUEUE_FLAGS.includes(name)),
    queueUrl === undefined ? ['DEAD_LETTER_QUEUE_URL'] : [],
  )
  const reportBatchItemFailures = valueIn(mapping.reportBatchItemFailures)
  // --no-report-batch-item-failures overrides the template, so the setting of the template is not printed.
  if (flags.reportBatchItemFailures) {
    if (reportBatchItemFailures === undefined) {
      notes.push(
        `warning: it is not known whether ReportBatchItemFailures is on in ${file}. This run assumes that it is on. If it is off, Lambda deletes failed messages`,
      )
    } else {
      usedSettings.push(`ReportBatchItemFailures ${reportBatchItemFailures ? 'on' : 'off'}`)
      if (!reportBatchItemFailures) {
        notes.push(
          `warning: ReportBatchItemFailures is off in ${file}, so Lambda deletes failed messages. Add FunctionResponseTypes: [ReportBatchItemFailures] to ${mapping.id}`,
        )
      }
    }
  }
  const { filters, note } = filtersIn(mapping, file)
  if (note !== undefined) notes.push(note)
  if (filters.length > 0) usedSettings.push(`${filters.length} filter${filters.length === 1 ? '' : 's'}`)
  const { id, runs } = mapping
  if (runs.state === 'unknown') {
    notes.push(`it is not known whether ${id} is enabled in ${file} (${runs.reason}): this run assumes that it is`)
  }
  const maximumConcurrency = valueIn(mapping.maximumConcurrency)
  if (maximumConcurrency !== undefined && flags.concurrency === undefined) {
    usedSettings.push(`maximum concurrency ${maximumConcurrency}`)
  }
  const nodeMajor = nodeMajorOf(mapping)
  const codeRoot = codeRootOf(mapping)
  const maximumMessageSize = valueIn(mapping.queue.maximumMessageSize)
  return {
    flags: {
      ...flags,
      ...values,
      ...(maximumConcurrency === undefined ? {} : { maximumConcurrency }),
      ...(nodeMajor === undefined ? {} : { nodeMajor }),
      ...(codeRoot === undefined ? {} : { codeRoot }),
      ...(maximumMessageSize === undefined || queueUrl !== undefined ? {} : { maximumMessageSize }),
      templateEnv,
      ...(filters.length > 0 ? { templateFilters: filters } : {}),
      notInTemplate,
      reportBatchItemFailures: flags.reportBatchItemFailures && reportBatchItemFailures !== false,
    } as LocalFlags,
    notes: [settingsLine(mapping, file, usedSettings, templateEnv), ...notes],
    mapping,
  }
}
