import { buffer } from 'node:stream/consumers'
import type { Model } from '../model/model.ts'
import { UsageError } from '../shared/errors.ts'
import { decode, readText } from '../shared/text-file.ts'
import { parseParameters, readTemplate, refuseConfiguration } from '../template/read-template.ts'
import { parseTerraformJson } from '../terraform/plan.ts'
import { readPlan } from '../terraform/read-plan.ts'
import { check } from './check.ts'
import { formatGithub, formatJson, formatTable } from './format.ts'

/** The flags of `doctor` after parsing. Numbers are valid, and flags that were not given are undefined. */
export interface DoctorFlags {
  function?: string
  region?: string
  endpointUrl?: string
  parameter?: string[]
  bodyBytes?: number
  recordMs?: number
  recordConcurrency: number
  strict?: boolean
  format: 'table' | 'json' | 'github'
}

function refuseIf(condition: unknown, message: string) {
  if (condition) throw new UsageError(message)
}

/** Reads a template, or a plan or a state of Terraform. */
async function readFileOrInput(file: string, parameter: string[] | undefined): Promise<Model> {
  refuseConfiguration(file)
  const isInput = file === '-'
  const name = isInput ? 'standard input' : file
  const text = isInput ? decode(await buffer(process.stdin)) : await readText(file)
  const shown = parseTerraformJson(name, text)
  if (!shown) return readTemplate(name, parseParameters(parameter), text)
  refuseIf(parameter, '--parameter needs a template: set Terraform variables in the command "terraform plan"')
  return readPlan(shown)
}

async function read(file: string | undefined, flags: DoctorFlags): Promise<Model> {
  const { function: name, region, endpointUrl: endpoint, parameter } = flags
  refuseIf(
    file !== undefined && name !== undefined,
    'a template and --function cannot be combined: run the command once for each',
  )
  if (file !== undefined) {
    refuseIf(
      region ?? endpoint,
      '--region and --endpoint-url need --function: a template is checked without access to AWS',
    )
    return readFileOrInput(file, parameter)
  }
  refuseIf(parameter, '--parameter needs a template: the parameters of a deployed function are already set')
  if (name === undefined)
    throw new UsageError('there is nothing to check: name a template file, or use --function NAME')
  refuseIf(name.trim() === '', '--function needs the name of a function')
  refuseIf(endpoint !== undefined && !URL.canParse(endpoint), `--endpoint-url ${endpoint} is not a URL`)
  const { readFunction } = await import('./read-deployed.ts') // loads the SDK, which a template does not need
  return readFunction(name, { region, endpoint })
}

/** The message if no mapping was found. That is an error: nothing was checked. */
function nothingChecked({ unreadResources }: Model, file: string | undefined, name: string | undefined): string {
  const [first, ...more] = unreadResources.map(
    ({ id, position, unreadReason }) => `${id}${position ? ` (line ${position.line})` : ''}: ${unreadReason}`,
  )
  const also = first === undefined ? '' : `. Not read: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`
  const versions = name !== undefined ? '. To check the mappings of a version, use --function NAME:VERSION' : ''
  return `${file === '-' ? 'standard input' : (file ?? name)} has no SQS event source mapping, so nothing was checked${versions}${also}`
}

/** The command `bounded-sqs-batch doctor`: reads, checks, prints the findings, and returns the exit code. */
export async function doctor(file: string | undefined, flags: DoctorFlags, today = new Date()): Promise<number> {
  const model = await read(file, flags)
  if (model.mappings.length === 0) throw new UsageError(nothingChecked(model, file, flags.function))
  const { bodyBytes, recordMs, recordConcurrency } = flags
  const findings = check(model, { bodyBytes, recordMs, recordConcurrency, today })
  const skipped = [
    ...(bodyBytes === undefined ? ['payload size check (pass --body-bytes)'] : []),
    ...(recordMs === undefined ? ['timeout check (pass --record-ms)'] : []),
  ]
  const report = { findings, mappings: model.mappings.length, skipped, defaulted: model.defaulted ?? [] }
  if (flags.format === 'json') console.log(formatJson(report))
  else if (flags.format === 'github') console.log(formatGithub(report))
  else console.log(formatTable(report, process.stdout))
  const failing = flags.strict ? ['error', 'warning'] : ['error']
  return findings.some(({ severity }) => failing.includes(severity)) ? 1 : 0
}
