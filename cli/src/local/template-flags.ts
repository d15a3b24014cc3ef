import { UsageError } from '../errors.ts'
import { type Mapping, type Setting, valueIn } from '../model.ts'
import { parseParameters, readTemplate } from '../template/read-template.ts'
import { environmentOf } from './env-flags.ts'
import { DEFAULT_MAX_RECEIVES, type LocalFlags } from './options.ts'
import { readTemplateEnvironment } from './template-environment.ts'

/** Finds the mapping that the run imitates. */
function chooseMapping(file: string, mappings: readonly Mapping[], wanted: string | undefined): Mapping {
  if (mappings.length === 0)
    throw new UsageError(`${file} has no SQS event source mapping, so it has no settings for a run`)
  const found = mappings.filter(({ id, function: target }) => wanted === undefined || [id, target.id].includes(wanted))
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

type Name = 'batchSize' | 'window' | 'timeout' | 'memory' | 'fifo' | 'visibilityTimeout' | 'maxReceives'
/** The flag, its label, its value in the template, and the unit of the value. */
type Row = [Name, string, Setting<number | boolean>, unit?: string]

function rowsOf({ batchSize, window, queue, function: target }: Mapping): Row[] {
  const maxReceives = queue.redrive.state === 'known' ? queue.redrive.value.maxReceiveCount : queue.redrive
  return [
    ['batchSize', 'batch size', batchSize],
    ['window', 'window', window, ' s'],
    ['timeout', 'timeout', target.timeout, ' s'],
    ['memory', 'memory', target.memory, ' MB'],
    ['fifo', 'FIFO', queue.fifo],
    ['visibilityTimeout', 'visibility timeout', queue.visibilityTimeout, ' s'],
    ['maxReceives', 'max receives', maxReceives],
  ]
}

const QUEUE_FLAGS: readonly Name[] = ['fifo', 'visibilityTimeout', 'maxReceives']

/**
 * Adds the settings of a template to the flags, and returns lines that describe them. Flags on the command line
 * override the template. An existing queue keeps its own settings. If the value of a setting is not known, the default
 * of the command is used.
 */
export async function withTemplate(flags: LocalFlags): Promise<{ flags: LocalFlags; lines: string[] }> {
  const { template: file, parameter, templateFunction, queueUrl } = flags
  if (file === undefined) {
    if (parameter ?? templateFunction) throw new UsageError('--parameter and --template-function need --template')
    return { flags, lines: [] }
  }
  const parameters = parseParameters(parameter)
  const { mappings } = await readTemplate(file, parameters)
  const mapping = chooseMapping(file, mappings, templateFunction)

  const taken: Partial<Record<Name, number | boolean>> = {}
  const shown: string[] = []
  const lines: string[] = []
  for (const [name, title, setting, unit = ''] of rowsOf(mapping)) {
    if (flags[name] !== undefined || (queueUrl && QUEUE_FLAGS.includes(name))) continue
    // The default window of AWS is used only with a batch size from the template.
    if (name === 'window' && taken.batchSize === undefined && 'isDefault' in setting) continue
    if (setting.state === 'known') {
      taken[name] = setting.value
      shown.push(`${title} ${setting.value}${unit}`)
    } else if (setting.state === 'unknown') {
      lines.push(`the ${title} in ${file} is not known (${setting.reason}), so the default is used`)
    } else
      lines.push(
        `${file} has no redrive policy for the queue: messages are dead-lettered after ${DEFAULT_MAX_RECEIVES} receives (the default)`,
      )
  }
  if (Number(taken.batchSize) > 10_000) {
    throw new UsageError(`the batch size in ${file} is ${taken.batchSize}, but Lambda allows at most 10,000`)
  }

  const reports = valueIn(mapping.reports)
  if (reports === undefined)
    lines.push(`it is not known whether ReportBatchItemFailures is on in ${file}: this run assumes that it is on`)
  else shown.push(`ReportBatchItemFailures ${reports ? 'on' : 'off'}`)
  const { variables, unknown } = await readTemplateEnvironment(file, mapping.function.id, parameters)
  const isSetByRun = (name: string) => name === 'DEAD_LETTER_QUEUE_URL' && queueUrl === undefined
  for (const name of Object.keys(variables)) if (isSetByRun(name)) delete variables[name]
  const names = Object.keys(variables)
  if (names.length > 0) shown.push(`environment variables ${names.join(', ')}`)
  const given = { ...process.env, ...environmentOf(flags) }
  for (const { name, reason } of unknown) {
    if (given[name] === undefined && !isSetByRun(name)) {
      lines.push(
        `the value of ${name} in ${file} is not known (${reason}), so the variable is not set. Set it with --env ${name}=…`,
      )
    }
  }
  return {
    flags: {
      ...flags,
      ...taken,
      templateEnv: variables,
      reportBatchItemFailures: flags.reportBatchItemFailures && reports !== false,
    } as LocalFlags,
    lines: [`settings of ${mapping.id} in ${file}: ${shown.join(', ')}`, ...lines],
  }
}
