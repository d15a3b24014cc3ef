import { UsageError } from '../errors.ts'
import { type Mapping, type Setting, valueIn } from '../model.ts'
import { parseParameters, readTemplate } from '../template/read-template.ts'
import { environmentOf } from './env-flags.ts'
import { type LocalFlags, MAX_RECEIVES } from './options.ts'
import { readTemplateEnvironment } from './template-environment.ts'

/** The one mapping that the run imitates. */
function choose(file: string, mappings: readonly Mapping[], wanted: string | undefined): Mapping {
  if (mappings.length === 0) throw new UsageError(`${file} has no SQS event source mapping to take settings from`)
  const found = mappings.filter(({ id, function: target }) => wanted === undefined || [id, target.id].includes(wanted))
  const [first, ...more] = found
  if (first && more.length === 0) return first
  const ids = (first ? found : mappings).map(({ id }) => id)
  const some = `${ids.slice(0, 5).join(', ')}${ids.length > 5 ? `, and ${ids.length - 5} more` : ''}`
  throw new UsageError(
    first
      ? `${file} has several SQS event source mappings: say which with --template-function: ${some}`
      : `--template-function ${wanted}: ${file} has no such function or mapping that reads SQS; it has ${some}`,
  )
}

type Name = 'batchSize' | 'window' | 'timeout' | 'memory' | 'fifo' | 'visibilityTimeout' | 'maxReceives'
/** The flag, what it is called, its value in the template, and how that is shown. */
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

const OF_THE_QUEUE: readonly Name[] = ['fifo', 'visibilityTimeout', 'maxReceives']

/**
 * Adds to the flags what a template says, and lines that say what that is. What was given on the command line stays, a
 * queue that exists has its own settings, and what the template does not tell is left to the defaults of the command.
 */
export async function withTemplate(flags: LocalFlags): Promise<{ flags: LocalFlags; lines: string[] }> {
  const { template: file, parameter, templateFunction, queueUrl } = flags
  if (file === undefined) {
    if (parameter ?? templateFunction) throw new UsageError('--parameter and --template-function need --template')
    return { flags, lines: [] }
  }
  const parameters = parseParameters(parameter)
  const { mappings } = await readTemplate(file, parameters)
  const mapping = choose(file, mappings, templateFunction)

  const taken: Partial<Record<Name, number | boolean>> = {}
  const shown: string[] = []
  const lines: string[] = []
  for (const [name, title, setting, unit = ''] of rowsOf(mapping)) {
    if (flags[name] !== undefined || (queueUrl && OF_THE_QUEUE.includes(name))) continue
    // A window that nobody has set goes with the batch size of the template alone.
    if (name === 'window' && taken.batchSize === undefined && 'isDefault' in setting) continue
    if (setting.state === 'known') {
      taken[name] = setting.value
      shown.push(`${title} ${setting.value}${unit}`)
    } else if (setting.state === 'unknown') {
      lines.push(`${file} does not tell the ${title} (${setting.reason}): the default is used`)
    } else
      lines.push(
        `${file} has no redrive policy: messages are dead-lettered after ${MAX_RECEIVES} receives, the default`,
      )
  }
  if (Number(taken.batchSize) > 10_000) {
    throw new UsageError(`${file}: a batch size of ${taken.batchSize}: Lambda takes at most 10,000`)
  }

  const reports = valueIn(mapping.reports)
  if (reports === undefined) lines.push(`${file} does not tell whether ReportBatchItemFailures is on: here it is`)
  else shown.push(`ReportBatchItemFailures ${reports ? 'on' : 'off'}`)
  const { variables, unknown } = await readTemplateEnvironment(file, mapping.function.id, parameters)
  const names = Object.keys(variables)
  if (names.length > 0) shown.push(`environment variables ${names.join(', ')}`)
  const given = { ...process.env, ...environmentOf(flags) }
  for (const { name, reason } of unknown) {
    if (given[name] === undefined) {
      lines.push(`${file} does not tell ${name} (${reason}): it is not set (--env ${name}=… sets it)`)
    }
  }
  return {
    flags: {
      ...flags,
      ...taken,
      templateEnv: variables,
      reportBatchItemFailures: flags.reportBatchItemFailures && reports !== false,
    } as LocalFlags,
    lines: [`${mapping.id} of ${file}: ${shown.join(', ')}`, ...lines],
  }
}
