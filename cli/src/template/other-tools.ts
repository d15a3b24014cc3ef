import { UsageError } from '../shared/errors.ts'
import { isObject, parseObject } from '../shared/json.ts'

// Files of tools that `doctor` does not read. It recognises them, and says what to do.

const TERRAFORM = /\.(tf|tofu)(\.json)?$/
const SERVERLESS = /(^|[/\\])serverless\.[cm]?[jt]s$/
/** The program of SST, and its folder of temporary files. */
const SST = /(^|[/\\])(sst\.config\.[cm]?[jt]s$|\.sst([/\\]|$))/
const PULUMI = /(^|[/\\])Pulumi(\.[^/\\]+)?\.(ya?ml|json)$/

/** Whether the name is that of a file or folder of SST. */
export function isOfSst(path: string): boolean {
  return SST.test(path)
}

/** The names of configurations that a folder has in place of templates. */
export const CONFIGURATION = /^(serverless\.\w+|sst\.config\.\w+|Pulumi\.(ya?ml|json)|.+\.(tf|tofu))$/

/** Refuses files and folders whose name shows that they are not templates. */
export function refuseConfiguration(path: string) {
  if (SERVERLESS.test(path)) throw serverlessError(path)
  if (isOfSst(path) || PULUMI.test(path)) throw pulumiError(path, isOfSst(path))
  if (!TERRAFORM.test(path)) return
  const what = `${path} is a Terraform configuration. doctor can read only the JSON of a plan or a state`
  const run = 'terraform plan -out plan.out && terraform show -json plan.out | bounded-sqs-batch doctor -'
  throw new UsageError(`${what}. Run: ${run}`)
}

export function serverlessError(file: string): UsageError {
  const what = `${file} belongs to the Serverless Framework. Only SAM and CloudFormation templates can be read`
  const template = '.serverless/cloudformation-template-update-stack.json'
  return new UsageError(`${what}. Run "serverless package", and use the template that it writes: ${template}`)
}

/** Every resource of Pulumi has one, in states, previews and logs of events. */
const URN = /"urn"\s*:\s*"urn:pulumi:/
/** A resource that a component of SST makes, or the component itself. */
const URN_OF_SST = /"urn:pulumi:[^":]*::[^":]*::sst:/

/** The text of a state or a preview of Pulumi, or of SST, which is built on Pulumi. */
export function isOfPulumi(text: string): boolean {
  return URN.test(text)
}

/** Refuses states and previews of Pulumi and SST. */
export function refusePulumi(file: string, text: string) {
  if (isOfPulumi(text)) throw pulumiError(file, URN_OF_SST.test(text), mappingsWithoutReports(text))
}

function pulumiError(file: string, isSst: boolean, without: readonly string[] = []): UsageError {
  const check = isSst
    ? 'each queue.subscribe() sets batch: { partialResponses: true }, and each other EventSourceMapping of a queue sets functionResponseTypes: ["ReportBatchItemFailures"]'
    : 'each EventSourceMapping of a queue sets functionResponseTypes: ["ReportBatchItemFailures"]'
  const parts = [
    `${file} belongs to ${isSst ? 'SST' : 'Pulumi'}, which doctor cannot read, so nothing was checked`,
    `Check yourself that ${check}`,
    'Otherwise, Lambda deletes the messages that the function reports as failed',
    ...(without.length > 0 ? [`In this file, the setting is missing or not known for: ${without.join(', ')}`] : []),
    'After the deployment, run: bounded-sqs-batch doctor --function NAME',
  ]
  return new UsageError(parts.join('. '))
}

const MAPPING = /^aws(-native)?:lambda[:/].*\bEventSourceMapping$/
/** The ARN of a stream or a broker. */
const OTHER_ARN = /^arn:[^:]*:(?!sqs:)/

/** The resources of a state, as Pulumi or SST exports or stores it, and the new ones of a preview. */
function resourcesIn({ deployment, checkpoint, latest, steps }: Record<string, unknown>): unknown[] {
  const states = [deployment, isObject(checkpoint) ? checkpoint.latest : latest]
  const existing = states.flatMap((state) => (isObject(state) ? state.resources : []))
  const planned = Array.isArray(steps) ? steps.map((step) => isObject(step) && step.newState) : []
  return [...existing, ...planned]
}

/**
 * The names of the mappings that do not set ReportBatchItemFailures. The list only helps the reader: a preview shows
 * placeholders for unknown values, and no real file with a mapping was at hand.
 */
function mappingsWithoutReports(text: string): string[] {
  const names = resourcesIn(parseObject(text) ?? {}).flatMap((resource) => {
    if (!isObject(resource) || !isObject(resource.inputs) || !MAPPING.test(String(resource.type))) return []
    const { functionResponseTypes: types, eventSourceArn: arn } = resource.inputs
    const isReported = Array.isArray(types) && types.includes('ReportBatchItemFailures')
    return isReported || OTHER_ARN.test(String(arn)) ? [] : [String(resource.urn).split('::').at(-1)]
  })
  return [...new Set(names)] as string[]
}
