import { refuseIf, UsageError } from '../shared/errors.ts'
import { checkParameters, parametersOf, parseParameters } from '../template/read-template.ts'
import { readAcceptances } from './acceptances.ts'
import { type Examined, examine } from './examine.ts'
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

async function readTemplates(
  files: readonly string[],
  parameters: ReadonlyMap<string, string>,
  { function: name, region }: DoctorFlags,
): Promise<Input[]> {
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
  for (const message of errorsOf(report)) console.error(`bounded-sqs-batch: ${message}`)
  return exitCodeOf(report, flags.strict)
}

function errorsOf({ inputs }: Examined): string[] {
  const errors = inputs.flatMap(({ error }) => error ?? [])
  const isNothingChecked = errors.length === 0 && inputs.every(({ mappings }) => mappings === 0)
  return isNothingChecked ? notesOf(inputs) : errors
}

function exitCodeOf({ findings, inputs }: Examined, strict = false): number {
  const failing = strict ? ['error', 'warning'] : ['error']
  if (findings.some(({ severity, accepted }) => accepted === undefined && failing.includes(severity))) return 1
  return inputs.some(({ error }) => error !== undefined) || inputs.every(({ mappings }) => mappings === 0) ? 2 : 0
}
