import type { FilterPattern } from '../model/match-filters.ts'
import type { Mapping, Model } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { FUNCTION_RULES } from '../rules/function-rules.ts'
import { MAPPING_RULES } from '../rules/mapping-rules.ts'
import { patternsOf } from '../rules/rule.ts'
import { VALUE_RULE } from '../rules/value-rule.ts'
import { UsageError } from '../shared/errors.ts'
import { templateAt } from '../template/assembly.ts'
import { parseParameters, readTemplate } from '../template/read-template.ts'
import { type EnvFlags, variablesOf } from './env-flags.ts'
import { DEFAULT_MAX_RECEIVES, type LocalFlags } from './options.ts'
import { ALL_VARIABLES, readTemplateEnvironment } from './template-environment.ts'

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

type SettingName = 'batchSize' | 'window' | 'timeout' | 'memory' | 'fifo' | 'visibilityTimeout' | 'maxReceives'

export interface SettingRow<N extends string> {
  /** The name of the flag. */
  readonly name: N
  readonly title: string
  /** The title in a sentence, if it differs. */
  readonly noun?: string
  readonly setting: Setting<number | boolean>
  readonly unit?: string
  /** What to print if the template does not have the setting. */
  readonly whenAbsent?: string
}

export interface TemplateFlags extends EnvFlags {
  template?: string
  parameter?: string[]
  templateFunction?: string
}

/** The settings of a function and its mapping. */
export function functionRows({ batchSize, window, queue, function: lambdaFunction }: Mapping) {
  return [
    { name: 'batchSize', title: 'batch size', setting: batchSize },
    { name: 'window', title: 'window', setting: window, unit: ' s' },
    { name: 'timeout', title: 'timeout', setting: lambdaFunction.timeout, unit: ' s' },
    { name: 'memory', title: 'memory', setting: lambdaFunction.memory, unit: ' MB' },
    { name: 'fifo', title: 'FIFO', noun: 'type of the queue (standard or FIFO)', setting: queue.fifo },
  ] satisfies SettingRow<SettingName>[]
}

function queueRows({ queue }: Mapping): SettingRow<SettingName>[] {
  const { redrive } = queue
  const [title, maxReceives] =
    redrive.state === 'known' ? ['max deliveries', redrive.value.maxReceiveCount] : ['redrive policy', redrive]
  const whenAbsent = `has no redrive policy for the queue: messages are dead-lettered after ${DEFAULT_MAX_RECEIVES} deliveries (the default)`
  return [
    { name: 'visibilityTimeout', title: 'visibility timeout', setting: queue.visibilityTimeout, unit: ' s' },
    { name: 'maxReceives', title, setting: maxReceives, whenAbsent },
  ]
}

const QUEUE_FLAGS: readonly SettingName[] = ['fifo', 'visibilityTimeout', 'maxReceives']

export interface TemplateSettings<N extends string> {
  mapping: Mapping
  /** The known values, without those that flags override. */
  values: Partial<Record<N, number | boolean>>
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
 * Reads the settings of a function and its mapping from a template. `isGiven` says whether a flag overrides a setting.
 * `runSets` names environment variables that the run sets itself.
 */
export async function readSettings<N extends string>(
  file: string,
  flags: TemplateFlags,
  rowsOf: (mapping: Mapping) => readonly SettingRow<N>[],
  isGiven: (name: N) => boolean,
  runSets: readonly string[],
): Promise<TemplateSettings<N>> {
  const parameters = parseParameters(flags.parameter)
  const model = await readTemplate(file, parameters)
  const mapping = chooseMapping(file, model.mappings, flags.templateFunction)
  const rows = rowsOf(mapping)

  const values: Partial<Record<string, number | boolean>> = {}
  const usedSettings: string[] = []
  const notes: string[] = []
  for (const { name, title, noun = title, setting, unit = '', whenAbsent } of rows) {
    if (isGiven(name)) continue
    // If the template omits the window, AWS's default of 0 is used only if the batch size is from the template, too.
    // With another batch size, this command's default is used, because batches above 10 need a window.
    if (name === 'window' && values.batchSize === undefined && 'isDefault' in setting) continue
    if (setting.state === 'known') {
      values[name] = setting.value
      usedSettings.push(`${title} ${setting.value}${unit}`)
    } else if (setting.state === 'unknown') {
      refuseInvalid(noun, setting, file)
      notes.push(`the ${noun} in ${file} is not known (${setting.reason}), so the default is used`)
    } else notes.push(`${file} ${whenAbsent}`)
  }
  if (Number(values.batchSize) > 10_000) {
    throw new UsageError(`the batch size in ${file} is ${values.batchSize}, but Lambda allows at most 10,000`)
  }
  const usedByRun = [...rows.map(({ setting }) => setting), mapping.reportBatchItemFailures]
  refuseInvalidTemplate(file, model, mapping, usedByRun)

  const { id } = mapping.function.aliasOf ?? mapping.function
  const { variables, unknown } = await readTemplateEnvironment(file, id, parameters)
  const declared = new Set([...Object.keys(variables), ...unknown.map(({ name }) => name)])
  const notInTemplate = declared.has(ALL_VARIABLES) ? [] : runSets.filter((name) => !declared.has(name))
  for (const name of runSets) delete variables[name]
  const given = { ...process.env, ...variablesOf(flags) }
  for (const { name, reason } of unknown) {
    if (name === ALL_VARIABLES) {
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
    values: values as TemplateSettings<N>['values'],
    templateEnv: variables,
    notInTemplate,
    usedSettings,
    notes,
  }
}

/** Refuses a value that AWS rejects: a run with another value would show nothing about this template. */
function refuseInvalid(title: string, setting: Setting<unknown>, file: string): void {
  if (setting.state === 'unknown' && setting.fix !== undefined) {
    throw new UsageError(`the ${title} in ${file} is not valid: ${setting.reason}`)
  }
}

/**
 * The rules of `doctor` whose errors mean that AWS rejects a setting, or that Lambda delivers no message because of it.
 * Rules about settings that flags can override, such as the batch size, are not in this list. The run checks these
 * settings itself.
 */
export const TEMPLATE_RULE_IDS = [
  'invalid-value',
  'filter-pattern',
  'concurrency-and-provisioned',
  'poller-range',
  'concurrency-range',
  'tenant-isolation',
]
const TEMPLATE_RULES = [VALUE_RULE, ...MAPPING_RULES, ...FUNCTION_RULES].filter(({ id }) =>
  TEMPLATE_RULE_IDS.includes(id),
)

/** Refuses a template that cannot work on AWS: a run that passes would say nothing about it. */
function refuseInvalidTemplate(
  file: string,
  { rejected = [] }: Model,
  mapping: Mapping,
  usedByRun: readonly Setting<unknown>[],
): void {
  const options = { recordConcurrency: 1, today: new Date() }
  const siblings = { ofFunction: [mapping], ofQueue: [mapping] }
  const problems = TEMPLATE_RULES.flatMap((rule) => rule.check(mapping, options, siblings) ?? [])
    .filter(({ setting }) => setting === undefined || !usedByRun.includes(setting))
    .map(({ resource, setting, position, what, fix }) => {
      return { id: resource.id, position: setting?.position ?? position, reason: what, fix }
    })
  const [first] = [...rejected, ...problems]
  if (!first) return
  const line = first.position ? ` (line ${first.position.line})` : ''
  throw new UsageError(
    `the template ${file} is not valid. ${first.id}${line}: ${first.reason}. ${first.fix} ` +
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
export async function withTemplate(flags: LocalFlags): Promise<{ flags: LocalFlags; notes: string[] }> {
  const { template, queueUrl } = flags
  checkTemplateFlags(flags)
  if (template === undefined) return { flags, notes: [] }
  const file = templateAt(template)
  const { mapping, values, templateEnv, notInTemplate, usedSettings, notes } = await readSettings(
    file,
    flags,
    (each) => [...functionRows(each), ...queueRows(each)],
    (name) => flags[name] !== undefined || (queueUrl !== undefined && QUEUE_FLAGS.includes(name)),
    queueUrl === undefined ? ['DEAD_LETTER_QUEUE_URL'] : [],
  )
  const reportBatchItemFailures = valueIn(mapping.reportBatchItemFailures)
  // --no-report-batch-item-failures overrides the template, so the setting of the template is not printed.
  if (flags.reportBatchItemFailures) {
    refuseInvalid('value of FunctionResponseTypes', mapping.reportBatchItemFailures, file)
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
  } else if (valueIn(runs) === false) {
    notes.push(`${id} is disabled in ${file}: on AWS, Lambda would not invoke the function for it, but this run does`)
  }
  const maximumConcurrency = valueIn(mapping.maximumConcurrency)
  if (maximumConcurrency !== undefined && flags.concurrency === undefined) {
    usedSettings.push(`maximum concurrency ${maximumConcurrency}`)
  }
  const [, nodeMajor] = /^nodejs(\d+)\.x$/.exec(valueIn(mapping.function.runtime) ?? '') ?? []
  return {
    flags: {
      ...flags,
      ...values,
      ...(maximumConcurrency === undefined ? {} : { maximumConcurrency }),
      ...(nodeMajor === undefined ? {} : { nodeMajor: Number(nodeMajor) }),
      templateEnv,
      ...(filters.length > 0 ? { templateFilters: filters } : {}),
      notInTemplate,
      reportBatchItemFailures: flags.reportBatchItemFailures && reportBatchItemFailures !== false,
    } as LocalFlags,
    notes: [settingsLine(mapping, file, usedSettings, templateEnv), ...notes],
  }
}
