// Defects that lose messages or stall a queue, planted in one clean template, in each format that doctor reads.
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { readStacks } from '../../src/doctor/inputs.ts'
import { findingsDeployed } from '../support/deployed.ts'
import { check } from '../support/doctor.ts'
import { filesIn } from '../support/files.ts'
import { concurrency, fifo, filters } from '../support/rule-cases.ts'
import { type Change, cloudFormation, findingsIn, getAtt, sam, serverlessPackage } from '../support/templates.ts'
import { findingsInPlan, plannedResources, shownPlan, terraformState } from '../support/terraform.ts'

const BY_TYPE = '{"body":{"type":["order"]}}'
const BY_KIND = '{"body":{"kind":["a"]}}'
function policy(maxReceiveCount: number, to = 'Dead') {
  return { RedrivePolicy: { deadLetterTargetArn: getAtt(to), maxReceiveCount } }
}
function pollers(MinimumPollers: number, MaximumPollers: number) {
  return { ProvisionedPollerConfig: { MinimumPollers, MaximumPollers } }
}

const DEFECTS: readonly [rule: string, change: Change][] = [
  ['report-batch-item-failures', { mapping: { FunctionResponseTypes: undefined } }],
  ['visibility-below-timeout', { queue: { VisibilityTimeout: 20 } }],
  ['visibility-headroom', { queue: { VisibilityTimeout: 60 } }],
  ['no-redrive-policy', { queue: { RedrivePolicy: undefined } }],
  ['no-redrive-policy', { queue: policy(5, 'Queue') }],
  ['max-receive-count', { queue: policy(1) }],
  ['short-retention', { queue: { MessageRetentionPeriod: 185 } }],
  ['short-retention', { queue: { MessageRetentionPeriod: 600, DelaySeconds: 900 } }],
  ['dead-letter-retention', { dead: { MessageRetentionPeriod: 3600 } }],
  ['batch-needs-window', { mapping: { BatchSize: 11, MaximumBatchingWindowInSeconds: undefined } }],
  ['invalid-value', { mapping: { BatchSize: 10_001 } }],
  ['fifo-batch-size', fifo({ mapping: { BatchSize: 11 } })],
  ['fifo-window', fifo({ mapping: { MaximumBatchingWindowInSeconds: 5 } })],
  ['concurrency-above-reserved', { mapping: concurrency(20), function: { ReservedConcurrentExecutions: 10 } }],
  ['reserved-concurrency', { function: { ReservedConcurrentExecutions: 10 } }],
  ['reserved-concurrency', { mapping: concurrency(5), function: { ReservedConcurrentExecutions: 0 } }],
  ['concurrency-and-provisioned', { mapping: { ...concurrency(5), ...pollers(2, 5) } }],
  ['poller-range', { mapping: pollers(6, 5) }],
  ['filter-pattern', { mapping: filters('{"body":{"type":"order"}}') }],
  ['competing-filters', { mapping: filters(BY_TYPE), second: filters(BY_KIND) }],
  ['shared-queue', { second: {} }],
  ['invalid-value', { dead: { FifoQueue: true } }],
  ['invalid-value', { mapping: { FunctionResponseTypes: ['ReportBatchItemFailure'] } }],
  ['invalid-value', { mapping: { MaximumBatchingWindowInSeconds: 301 } }],
  ['invalid-value', { mapping: pollers(2, 2001) }],
  ['invalid-value', { mapping: filters(...Array(11).fill(BY_TYPE)) }],
  ['invalid-value', { function: { Timeout: 901 } }],
  ['invalid-value', { function: { MemorySize: 64 } }],
  ['invalid-value', { queue: { VisibilityTimeout: 43_201 } }],
  ['invalid-value', { queue: { MessageRetentionPeriod: 59 } }],
  ['invalid-value', { queue: { RedrivePolicy: { deadLetterTargetArn: { Ref: 'Dead' }, maxReceiveCount: 5 } } }],
  ['invalid-value', { queue: { RedrivePolicy: { deadLetterTargetArn: getAtt('Handler'), maxReceiveCount: 5 } } }],
  ['invalid-value', { queue: { RedrivePolicy: { maxReceiveCount: 5 } } }],
  ['invalid-value', { mapping: concurrency(1) }],
  ['quota', { mapping: filters(...Array(6).fill(BY_TYPE)) }],
  ['filter-pattern', { mapping: filters('{"body":{"type":[{"startsWith":"a"}]}}') }],
  ['stream-setting', { mapping: { StartingPosition: 'LATEST' } }],
  ['stream-setting', { mapping: { MaximumRetryAttempts: 2 } }],
  ['stream-setting', { mapping: { BisectBatchOnFunctionError: true } }],
  [
    'unused-failure-settings',
    { function: { DeadLetterConfig: { TargetArn: 'arn:aws:sqs:eu-west-1:123456789012:x' } } },
  ],
  ['tenant-isolation', { function: { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } } }],
]

/** All numbers are parameters, and lists depend on conditions. */
function withIntrinsics(change: Change) {
  const Parameters: Record<string, object> = { Stage: { Type: 'String', Default: 'prod' } }
  const isProd = (value: unknown) => ({ 'Fn::If': ['Prod', value, { Ref: 'AWS::NoValue' }] })
  function replace(key: string, value: unknown): unknown {
    if (key === 'Fn::GetAtt') return value
    if (typeof value === 'number') {
      Parameters[`P${value}`] = { Type: 'Number', Default: value }
      return { Ref: `P${value}` }
    }
    if (Array.isArray(value)) return isProd(value.map((item) => replace('', item)))
    return typeof value === 'object' && value !== null ? replaceIn(value) : value
  }
  function replaceIn(value: object): object {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, replace(key, child)]))
  }
  const Conditions = { Prod: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } }
  return { Conditions, Resources: replaceIn(cloudFormation(change).Resources), Parameters }
}

/** The settings of the function are in Globals. */
function withGlobals(change: Change) {
  const { Resources, ...template } = sam(change)
  const { Events, ...settings } = Resources.Handler.Properties
  const Handler = { ...Resources.Handler, Properties: { Events } }
  return { ...template, Globals: { Function: settings }, Resources: { ...Resources, Handler } }
}

/** The queues are in a stack of their own, which exports the ARN. */
function linkedStacks(t: Test, change: Change): Finding[] {
  const { Queue, Dead, ...others } = cloudFormation(change).Resources
  const Export = { Name: 'Queues:QueueArn' }
  const queues = { Resources: { Queue, Dead }, Outputs: { QueueArn: { Value: getAtt('Queue'), Export } } }
  const text = JSON.stringify({ Resources: others })
  const imported = text.replaceAll(JSON.stringify(getAtt('Queue')), '{"Fn::ImportValue":"Queues:QueueArn"}')
  const artifact = (name: string) => ({
    type: 'aws:cloudformation:stack',
    properties: { templateFile: `${name}.template.json` },
  })
  const folder = filesIn(t, {
    'manifest.json': JSON.stringify({ artifacts: { Queues: artifact('Queues'), Shop: artifact('Shop') } }),
    'Queues.template.json': JSON.stringify(queues),
    'Shop.template.json': imported,
  })
  const inputs = readStacks(join(folder)) ?? []
  return inputs.flatMap(({ read, ...input }) => (read ? check({ ...input, model: read(new Map()) }) : []))
}

/** The resources are in a module that is called for each of two regions. */
function inModules(change: Change): Finding[] {
  const module = { resources: plannedResources(change) }
  return findingsInPlan(
    shownPlan({ resources: [], modules: { 'module.shop["eu"]': module, 'module.shop["us"]': module } }),
  )
}

const FORMATS: Readonly<Record<string, (t: Test, change: Change) => Finding[] | Promise<Finding[]>>> = {
  SAM: (t, change) => findingsIn(t, sam(change)),
  'CloudFormation with intrinsic functions': (t, change) => findingsIn(t, withIntrinsics(change)),
  'SAM with Globals': (t, change) => findingsIn(t, withGlobals(change)),
  'two linked stacks of the CDK': linkedStacks,
  'the output of the Serverless Framework': (t, change) => findingsIn(t, serverlessPackage(change)),
  'a plan of Terraform with modules and for_each': (_, change) => inModules(change),
  'a state of Terraform': (_, change) => findingsInPlan(terraformState(change)),
  'a deployed function': (_, change) => findingsDeployed(change),
}

/** How many of the defects are found, listed as not checked, and passed over. */
const EXPECTED: Readonly<Record<string, { found: number; notChecked: string[]; silent: string[] }>> = {
  // The dead-letter queue that is a function is in another stack, so its reference is not defined.
  'two linked stacks of the CDK': { found: 40, notChecked: ['invalid-value'], silent: [] },
  // The redrive policy refers to a queue that is not yet created, so the plan does not show its text.
  'a plan of Terraform with modules and for_each': {
    found: 39,
    notChecked: ['max-receive-count', 'invalid-value'],
    silent: [],
  },
  // The last line of each run says that other invokers of a deployed function are not read.
  'a deployed function': { found: 40, notChecked: [], silent: ['unused-failure-settings'] },
}

for (const [format, findingsOf] of Object.entries(FORMATS)) {
  test(`planted defects in ${format}`, async (t) => {
    const result = { found: 0, notChecked: [] as string[], silent: [] as string[] }
    for (const [rule, change] of DEFECTS) {
      const rules = (await findingsOf(t, change)).map((finding) => finding.rule)
      if (rules.includes(rule)) result.found++
      else if (rules.includes('not-checked')) result.notChecked.push(rule)
      else result.silent.push(rule)
    }
    t.strictSame(result, EXPECTED[format] ?? { found: DEFECTS.length, notChecked: [], silent: [] })
    const clean = (await findingsOf(t, {})).filter(({ severity }) => severity !== 'info')
    t.strictSame(clean, [], 'the clean template has no error and no warning')
  })
}
