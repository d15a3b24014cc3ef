import { refuseIf, UsageError } from '../shared/errors.ts'
import { checkParameters, parametersOf, parseParameters } from '../template/read-template.ts'
import { readAcceptances } from './acceptances.ts'
import { examine } from './examine.ts'
import { type Format, formatReport, notesOf } from './format.ts'
import { type Input, readInputs } from './inputs.ts'

/** The flags of `doctor` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface DoctorFlags {
  function?: string
  region?: string
  parameter?: string[]
  accept?: string[]
  acceptFile?: string[]
  strict?: boolean
  format: Format
  json?: boolean
}

async function readTemplates(files: readonly string[], parameters: Map<string, string>, flags: DoctorFlags) {
  const { function: name, region } = flags
  refuseIf(name !== undefined, 'a template and --function cannot be combined: run the command once for each')
  refuseIf(region, '--region needs --function: a template is checked without access to AWS')
  const inputs = await readInputs(files)
  const names = inputs.flatMap(({ template }) => (template ? parametersOf(template) : []))
  if (inputs.some(({ error }) => error === undefined)) checkParameters(parameters, names)
  return inputs
}

async function readDeployed({ function: name, region, parameter }: DoctorFlags): Promise<Input> {
  refuseIf(parameter, '--parameter needs a template: the parameters of a deployed function are already set')
  if (!name?.trim()) throw new UsageError('there is nothing to check: name a template file, or use --function NAME')
  const { readFunction } = await import('../deployed/read-function.ts') // loads the SDK, which a template does not need
  const model = await readFunction(name, region)
  return { name, kind: 'deployed', read: () => model }
}

/** The command `bounded-sqs-batch doctor`: reads, checks, prints the findings, and returns the exit code. */
export async function doctor(files: readonly string[], flags: DoctorFlags): Promise<number> {
  const given = readAcceptances(flags.accept, flags.acceptFile)
  const isDeployed = files.length === 0
  const parameters = parseParameters(flags.parameter)
  const inputs = isDeployed ? [await readDeployed(flags)] : await readTemplates(files, parameters, flags)
  const report = examine(inputs, parameters, given, { isDeployed, strict: flags.strict })
  const text = formatReport(report, flags.json ? 'json' : flags.format, process.stdout)
  if (text !== '') console.log(text)
  const errors = report.inputs.flatMap(({ error }) => error ?? [])
  const isNothingChecked = report.inputs.every(({ mappings }) => mappings === 0)
  const messages = errors.length === 0 && isNothingChecked ? notesOf(report.inputs) : errors
  for (const message of messages) console.error(`bounded-sqs-batch: ${message}`)
  const failing = flags.strict ? ['error', 'warning'] : ['error']
  if (report.findings.some(({ severity, accepted }) => accepted === undefined && failing.includes(severity))) return 1
  return errors.length > 0 || isNothingChecked ? 2 : 0
}
