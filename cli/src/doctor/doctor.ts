import type { Acceptance, Model } from '../model/model.ts'
import type { CheckOptions } from '../rules/rule.ts'
import { UsageError } from '../shared/errors.ts'
import { checkParameters, parseParameters } from '../template/read-template.ts'
import { accept, readAcceptances } from './acceptances.ts'
import { type Detected, detect, SEVERITIES } from './check.ts'
import { type Format, formatReport, type Report, type ReportInput } from './format.ts'
import { type Input, parameterNames, readInputs } from './inputs.ts'
import { listRules } from './list-rules.ts'

/** The flags of `doctor` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface DoctorFlags {
  function?: string
  region?: string
  endpointUrl?: string
  parameter?: string[]
  bodyBytes?: number
  recordMs?: number
  recordConcurrency: number
  accept?: string[]
  acceptFile?: string[]
  strict?: boolean
  format: Format
  json?: boolean
  rules?: boolean
}

function refuseIf(condition: unknown, message: string) {
  if (condition) throw new UsageError(message)
}

async function readTemplates(
  files: readonly string[],
  { function: name, region, endpointUrl, parameter }: DoctorFlags,
) {
  refuseIf(name !== undefined, 'a template and --function cannot be combined: run the command once for each')
  refuseIf(
    region ?? endpointUrl,
    '--region and --endpoint-url need --function: a template is checked without access to AWS',
  )
  const parameters = parseParameters(parameter)
  const inputs = await readInputs(files)
  const names = parameterNames(inputs)
  const isRead = inputs.some(({ error }) => error === undefined)
  refuseIf(
    parameter && isRead && !names,
    '--parameter needs a template: set Terraform variables in the command "terraform plan"',
  )
  const [first, ...more] = inputs
  if (names) checkParameters(parameters, names, more.length === 0 ? first?.name : undefined)
  return { inputs, parameters }
}

async function readDeployed({ function: name, region, endpointUrl: endpoint, parameter }: DoctorFlags): Promise<Input> {
  refuseIf(parameter, '--parameter needs a template: the parameters of a deployed function are already set')
  if (name === undefined)
    throw new UsageError('there is nothing to check: name a template file, or use --function NAME')
  refuseIf(name.trim() === '', '--function needs the name of a function')
  refuseIf(endpoint !== undefined && !URL.canParse(endpoint), `--endpoint-url ${endpoint} is not a URL`)
  const { readFunction } = await import('./read-deployed.ts') // loads the SDK, which a template does not need
  const model = await readFunction(name, { region, endpoint })
  return { name, models: () => [model] }
}

/** What was not read, if an input has no mapping. */
function nothingChecked(models: readonly Model[], name: string, isDeployed: boolean): string {
  const all = models.flatMap(({ unreadResources, absentResources = [] }) => [...absentResources, ...unreadResources])
  const texts = all.map(
    ({ id, position, unreadReason }) => `${id}${position ? ` (line ${position.line})` : ''}: ${unreadReason}`,
  )
  const [first, ...more] = new Set(texts)
  const also = first === undefined ? '' : `. Not read: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`
  const versions = isDeployed ? '. To check the mappings of a version, use --function NAME:VERSION' : ''
  return `${name} has no SQS event source mapping, so nothing was checked${versions}${also}`
}

/** Identifies a finding about a resource of a stack, which other stacks of the app may use under a longer id. */
function placeOf({ finding: { rule, resource, file, line } }: Detected): string | undefined {
  return file === undefined ? undefined : JSON.stringify([rule, resource.split('/').at(-1), file, line])
}

/** The command `bounded-sqs-batch doctor`: reads, checks, prints the findings, and returns the exit code. */
export async function doctor(files: readonly string[], flags: DoctorFlags, today = new Date()): Promise<number> {
  if (flags.rules) {
    console.log(listRules())
    return 0
  }
  const { bodyBytes, recordMs, recordConcurrency } = flags
  const options: CheckOptions = { bodyBytes, recordMs, recordConcurrency, today }
  const given = await readAcceptances(flags.accept, flags.acceptFile)
  const isDeployed = files.length === 0
  const { inputs, parameters } = isDeployed
    ? { inputs: [await readDeployed(flags)], parameters: new Map<string, string>() }
    : await readTemplates(files, flags)

  const detected: Detected[] = []
  const places = new Set<string | undefined>()
  const acceptances: Acceptance[] = []
  const defaulted = new Set<string>()
  const reported = inputs.map(({ name, error, models: read }): ReportInput => {
    if (error !== undefined) return { name, mappings: 0, error }
    const models = read(parameters)
    const mappings = Math.max(0, ...models.map((model) => model.mappings.length))
    if (mappings === 0) return { name, mappings, note: nothingChecked(models, name, isDeployed) }
    for (const model of models) for (const parameter of model.defaulted ?? []) defaulted.add(parameter)
    // Each stack of a CDK app that uses a resource of another stack finds what is wrong with it. Keep the first finding.
    const found = detect(models, options).filter((each) => !places.has(placeOf(each)))
    detected.push(...found)
    for (const each of found) if (placeOf(each) !== undefined) places.add(placeOf(each))
    acceptances.push(...(models[0]?.acceptances ?? []))
    return { name, mappings }
  })
  const findings = accept(detected, [...acceptances, ...given])
  const report: Report = {
    findings: SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity)),
    inputs: reported,
    skipped: [
      ...(bodyBytes === undefined ? ['payload size check (pass --body-bytes)'] : []),
      ...(recordMs === undefined ? ['timeout check (pass --record-ms)'] : []),
      ...(isDeployed ? [`code, EventInvokeConfig, SNS subscriptions and pipes (check the template)`] : []),
    ],
    defaulted: [...defaulted],
  }
  const text = formatReport(report, flags.json ? 'json' : flags.format, process.stdout)
  if (text !== '') console.log(text)
  for (const message of errorsOf(report)) console.error(`bounded-sqs-batch: ${message}`)
  return exitCodeOf(report, flags.strict)
}

/** What made an input fail, and why nothing was checked. */
function errorsOf({ inputs }: Report): string[] {
  const errors = inputs.flatMap(({ error }) => error ?? [])
  const isNothingChecked = errors.length === 0 && inputs.every(({ mappings }) => mappings === 0)
  return isNothingChecked ? inputs.flatMap(({ note }) => note ?? []) : errors
}

function exitCodeOf({ findings, inputs }: Report, strict = false): number {
  const failing = strict ? ['error', 'warning'] : ['error']
  if (findings.some(({ severity, accepted }) => accepted === undefined && failing.includes(severity))) return 1
  return inputs.some(({ error }) => error !== undefined) || inputs.every(({ mappings }) => mappings === 0) ? 2 : 0
}
