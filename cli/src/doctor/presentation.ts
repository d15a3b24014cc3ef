import {
  FUNCTION_SETTINGS,
  MAPPING_SETTINGS,
  PLACES,
  QUEUE_SETTINGS,
  REDRIVE_SETTINGS,
  type Row,
  snakeCase,
} from '../model/settings-table.ts'
import type { Assignment } from '../rules/rule.ts'

export interface Presentation {
  kind: 'template' | 'plan' | 'state' | 'deployed'
  file?: string | undefined
  syntax?: 'yaml' | 'json' | 'terraform' | 'cdk'
}

/** The properties of constructs of the CDK, with `%` for the value. */
const CDK: Readonly<Record<string, string>> = {
  FunctionResponseTypes: 'reportBatchItemFailures: true',
  BatchSize: 'batchSize: %',
  MaximumBatchingWindowInSeconds: 'maxBatchingWindow: Duration.seconds(%)',
  MaximumConcurrency: 'maxConcurrency: %',
  MinimumPollers: 'provisionedPollerConfig: { minimumPollers: % }',
  MaximumPollers: 'provisionedPollerConfig: { maximumPollers: % }',
  ReservedConcurrentExecutions: 'reservedConcurrentExecutions: %',
  MemorySize: 'memorySize: %',
  VisibilityTimeout: 'visibilityTimeout: Duration.seconds(%)',
  MessageRetentionPeriod: 'retentionPeriod: Duration.seconds(%)',
  maxReceiveCount: 'maxReceiveCount: %',
}

/** The properties of constructs whose names differ from those of CloudFormation in more than the first letter. */
const CDK_NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(CDK).map(([name, line]) => [name, line.match(/\w+(?=: (%|true|D))/)?.[0]])),
  FifoQueue: 'fifo',
  RedrivePolicy: 'deadLetterQueue',
  FilterCriteria: 'filters',
  KmsMasterKeyId: 'encryptionMasterKey',
}
const ROWS: readonly Row[] = [
  ...[MAPPING_SETTINGS, FUNCTION_SETTINGS, QUEUE_SETTINGS, REDRIVE_SETTINGS, PLACES].flatMap(Object.values),
]
/** The names of settings in CloudFormation, with those of Terraform. */
const TERRAFORM_NAMES = new Map(
  ROWS.flatMap(({ name, path, terraform }) => [
    ...path.map((part) => [String(part), snakeCase(String(part))] as const),
    [name, String(terraform.at(-1))] as const,
  ]),
)

/** A text about settings with the names that the input has: `maximum_concurrency`. */
export function withNamesOf({ syntax }: Presentation, text: string): string {
  if (syntax !== 'terraform' && syntax !== 'cdk') return text
  const ofInput =
    syntax === 'cdk' ? text.replace(/FunctionResponseTypes to \[.*?\]/, 'reportBatchItemFailures to true') : text
  return ofInput.replaceAll(/\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|^[A-Z][a-z]+(?=:)/g, (name) => {
    const ofTerraform = TERRAFORM_NAMES.get(name)
    if (ofTerraform === undefined || syntax === 'terraform') return ofTerraform ?? name
    return CDK_NAMES[name] ?? name.charAt(0).toLowerCase() + name.slice(1)
  })
}

export function fixOfUnchecked({ kind }: Presentation, reason = ''): string {
  if (kind === 'plan') return 'Check the state after apply: terraform show -json | bounded-sqs-batch doctor -'
  if (kind === 'deployed') return 'If access was denied, allow the call. Otherwise check the setting yourself.'
  const check = reason.includes('--parameter') ? 'Set the parameter, or check' : 'Check'
  return `${check} the deployed function with --function NAME.`
}

/** Writes a setting and its new value in the syntax of the input: `VisibilityTimeout: 361`. */
export function assignmentLine([row, value]: Assignment, { syntax }: Presentation): string {
  const ofCdk = CDK[row.name]
  if (syntax === 'cdk' && ofCdk !== undefined) return ofCdk.replace('%', String(value))
  const json = JSON.stringify(value)
  if (syntax === 'terraform') {
    const [name, , inner] = row.terraform ?? [row.name]
    return inner === undefined ? `${name} = ${json}` : `${name} { ${inner} = ${json} }`
  }
  const isJson = syntax === 'json'
  const [first, ...rest] = row.path.map((name) => (isJson ? JSON.stringify(name) : String(name)))
  const text = isJson ? json : json.replaceAll('"', '')
  return `${first}: ${rest.reduceRight((inner, name) => `{ ${name}: ${inner} }`, text)}`
}
