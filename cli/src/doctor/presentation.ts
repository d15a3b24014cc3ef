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
