import { join, parse, resolve } from 'node:path'
import { folderAt } from '../code-search/imports.ts'
import { examine } from '../doctor/examine.ts'
import type { Mapping, Model } from '../model/model.ts'
import { type Setting, valueIn } from '../model/setting.ts'
import { refuseIf, UsageError } from '../shared/errors.ts'
import { parseParameters, readTemplate } from '../template/read-template.ts'
import { type EnvFlags, variablesOf } from './env-flags.ts'

/** The default number of deliveries before a message is dead-lettered: the smallest that AWS recommends. */
export const DEFAULT_MAX_RECEIVES = 5

export interface TemplateFlags extends EnvFlags {
  template?: string
  parameter?: string[]
  templateFunction?: string
}

export function checkTemplateFlags({ template, parameter, templateFunction }: TemplateFlags): void {
  const needsTemplate = (parameter ?? templateFunction) !== undefined
  refuseIf(template === undefined && needsTemplate, '--parameter and --template-function need --template')
}

function chooseMapping(file: string, mappings: readonly Mapping[], wanted: string | undefined): Mapping {
  refuseIf(mappings.length === 0, `${file} has no SQS event source mapping, so it has no settings for a run`)
  const found = mappings.filter(({ id, function: { id: target, aliasOf } }) => {
    return wanted === undefined || [id, target, aliasOf?.id].includes(wanted)
  })
  const [first, ...more] = found
  if (first && more.length === 0) return first
  const what = first
    ? 'several SQS event source mappings. Choose one with --template-function ID'
    : `no function or mapping ${wanted} that reads SQS. Its mappings are`
  throw new UsageError(`${file} has ${what}: ${(first ? found : mappings).map(({ id }) => id).join(', ')}`)
}

/** A setting, with the name of its flag, and its unit or what to print if the template does not have it. */
export interface SettingRow {
  name: string
  title: string
  setting: Setting<number | boolean>
  unit?: string
  whenAbsent?: string
}

/** The settings of a mapping that `local` or `tune` uses. */
function rowsOf({ batchSize, window, maximumConcurrency, queue, function: { timeout, memory } }: Mapping) {
  const { redrive, fifo, visibilityTimeout } = queue
  const maxReceives = redrive.state === 'known' ? redrive.value.maxReceiveCount : redrive
  const noRedrive = `has no redrive policy for the queue: messages have ${DEFAULT_MAX_RECEIVES} deliveries (default)`
  const noMaximum = 'has no MaximumConcurrency, so tune runs one environment'
  return [
    { name: 'batchSize', title: 'batch size', setting: batchSize },
    { name: 'window', title: 'window', setting: window, unit: ' s' },
    { name: 'timeout', title: 'timeout', setting: timeout, unit: ' s' },
    { name: 'memory', title: 'memory', setting: memory, unit: ' MB' },
    { name: 'fifo', title: 'FIFO', setting: fifo },
    { name: 'visibilityTimeout', title: 'visibility timeout', setting: visibilityTimeout, unit: ' s' },
    { name: 'maxReceives', title: 'max deliveries', setting: maxReceives, whenAbsent: noRedrive },
    { name: 'environments', title: 'maximum concurrency', setting: maximumConcurrency, whenAbsent: noMaximum },
  ] as const satisfies SettingRow[]
}

export type SettingName = ReturnType<typeof rowsOf>[number]['name']

export interface TemplateSettings {
  mapping: Mapping
  values: Record<string, number | boolean>
  templateEnv: Record<string, string>
  /** Variables that the run would set, but the template does not. */
  notInTemplate: string[]
  /** The settings that are used, as texts such as `timeout 30 s`. */
  usedSettings: string[]
  /** Notes to print, one line each: what is unknown, not set or not applied. */
  notes: string[]
}

export function useSetting({ values, usedSettings, notes }: TemplateSettings, file: string, row: SettingRow): void {
  const { name, title, setting, unit = '', whenAbsent } = row
  if (setting.state === 'known') {
    values[name] = setting.value
    usedSettings.push(`${title} ${setting.value}${unit}`)
  } else if (setting.state === 'unknown') {
    const what = `the setting ${title} in ${file} is not known (${setting.reason})`
    notes.push(`${what}, so the default of this command is used`)
  } else if (whenAbsent) notes.push(`${file} ${whenAbsent}`)
}

/**
 * Reads the settings of a function and its mapping from a template. `isWanted` says whether the run takes a
 * setting from the template. `runSets` names environment variables that the run sets itself. `handlerFile`
 * is the code that runs.
 */
export async function readSettings(
  file: string,
  flags: TemplateFlags,
  isWanted: (name: SettingName) => boolean,
  runSets: readonly string[],
  handlerFile?: string,
): Promise<TemplateSettings> {
  const model = await readTemplate(file, parseParameters(flags.parameter))
  const mapping = chooseMapping(file, model.mappings, flags.templateFunction)
  // Whether the function reports failures, only the code that runs can tell.
  const checked = handlerFile === undefined ? mapping : withCode(mapping, handlerFile)
  refuseErrors(file, { ...model, mappings: [checked] })

  const { environment } = mapping.function.aliasOf ?? mapping.function
  const { variables = {}, unknown = [] } = environment ?? {}
  const declared = new Set([...Object.keys(variables), ...unknown.map(({ name }) => name)])
  const templateEnv = Object.fromEntries(Object.entries(variables).filter(([name]) => !runSets.includes(name)))
  const notInTemplate = declared.has(undefined) ? [] : runSets.filter((name) => !declared.has(name))
  const notes: string[] = []
  const settings: TemplateSettings = { mapping, values: {}, templateEnv, notInTemplate, usedSettings: [], notes }
  for (const row of rowsOf(mapping)) {
    // If the template omits the window, AWS's default of 0 is used only if it has the batch size. Otherwise
    // this command's default is used, because batches above 10 need a window.
    const hasBatchSize = settings.values.batchSize !== undefined
    const isWindowOfCommand = row.name === 'window' && !hasBatchSize && 'isDefault' in row.setting
    if (isWanted(row.name) && !isWindowOfCommand) useSetting(settings, file, row)
  }
  const given = { ...process.env, ...templateEnv, ...variablesOf(flags) }
  for (const { name, reason } of unknown) {
    if (name !== undefined && (given[name] !== undefined || runSets.includes(name))) continue
    const what = name === undefined ? 'the environment variables' : `the variable ${name}`
    notes.push(`${what} in ${file}: not known (${reason}), so not set. Use --env ${name ?? 'NAME'}=…`)
  }
  return settings
}

/** A mapping whose function has the code that runs, which may be another one than that of the template. */
function withCode(mapping: Mapping, handlerFile: string): Mapping {
  const { dir, name } = parse(resolve(handlerFile))
  const code = { places: [dir], handler: `${name}.handler`, runtime: 'nodejs' }
  return { ...mapping, function: { ...mapping.function, code } }
}

/** Refuses a mapping that AWS rejects, or whose settings lose messages: a run would say nothing about it. */
function refuseErrors(file: string, model: Model): void {
  const { findings } = examine([{ name: file, kind: 'template', file, read: () => model }], new Map(), [])
  const error = findings.find(({ severity, accepted }) => severity === 'error' && accepted === undefined)
  if (!error) return
  const { line, resource, message, fix } = error
  const where = line === undefined ? resource : `${resource} (line ${line})`
  const what = `doctor finds an error in ${error.file ?? file}. ${where}: ${message} ${fix}`
  throw new UsageError(`${what} To see all problems, run bounded-sqs-batch doctor ${file}`)
}

export function settingsLine({ mapping, usedSettings, templateEnv }: TemplateSettings, file: string): string {
  const names = Object.keys(templateEnv)
  const used = [...usedSettings, ...(names.length > 0 ? [`environment variables ${names.join(', ')}`] : [])]
  return `settings of ${mapping.id} in ${file}: ${used.join(', ') || 'none is used'}`
}

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
