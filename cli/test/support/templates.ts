import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { ofTemplate } from '../../src/doctor/inputs.ts'
import type { Mapping } from '../../src/model/model.ts'
import type { Setting } from '../../src/model/setting.ts'
import { parseTemplate, readTemplate } from '../../src/template/read-template.ts'
import { check } from './doctor.ts'
import { folder } from './runs.ts'

type Properties = Record<string, unknown>

/** Changes to the properties of the resources of a template. `undefined` removes a property. */
export interface Change {
  mapping?: Properties
  function?: Properties
  queue?: Properties
  dead?: Properties
  /** A second mapping of the same queue and function. */
  second?: Properties
  /** More resources, in CloudFormation and in Terraform. */
  resources?: Readonly<Record<string, { Type: string; Properties: Properties }>>
  terraform?: readonly { address: string; values: Properties }[]
}

export const DAY = 86_400

export function getAtt(id: string) {
  return { 'Fn::GetAtt': [id, 'Arn'] }
}

const MAPPING = {
  FunctionResponseTypes: ['ReportBatchItemFailures'],
  BatchSize: 100,
  MaximumBatchingWindowInSeconds: 5,
}

export function settings(change: Change) {
  return {
    mapping: { ...MAPPING, ...change.mapping },
    second: change.second && { ...MAPPING, ...change.second },
    function: { Runtime: 'nodejs24.x', Timeout: 30, MemorySize: 512, ...change.function },
    queue: {
      VisibilityTimeout: 185,
      RedrivePolicy: { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount: 5 },
      ...change.queue,
    },
    dead: { MessageRetentionPeriod: 14 * DAY, ...change.dead },
  }
}

/** A SAM template without problems, apart from the change. */
export function sam(change: Change = {}) {
  const { mapping, second, function: target, queue, dead } = settings(change)
  const event = (properties: Properties) => ({ Type: 'SQS', Properties: { Queue: getAtt('Queue'), ...properties } })
  const Events = { Orders: event(mapping), ...(second ? { Second: event(second) } : {}) }
  return {
    Transform: 'AWS::Serverless-2016-10-31',
    Resources: {
      Handler: { Type: 'AWS::Serverless::Function', Properties: { ...target, Events } },
      Queue: { Type: 'AWS::SQS::Queue', Properties: queue },
      Dead: { Type: 'AWS::SQS::Queue', Properties: dead },
      ...change.resources,
    },
  }
}

/** The same as plain CloudFormation, as the CDK writes it. */
export function cloudFormation(change: Change = {}) {
  const { mapping, second, function: target, queue, dead } = settings(change)
  const { Queue: _ofSam, ...mappingSettings } = mapping as Properties
  const ends = { FunctionName: { Ref: 'Handler' }, EventSourceArn: getAtt('Queue') }
  const Type = 'AWS::Lambda::EventSourceMapping'
  return {
    Resources: {
      Handler: { Type: 'AWS::Lambda::Function', Properties: target },
      Queue: { Type: 'AWS::SQS::Queue', Properties: queue },
      Dead: { Type: 'AWS::SQS::Queue', Properties: dead },
      Orders: { Type, Properties: { ...ends, ...mappingSettings } },
      ...(second ? { Second: { Type, Properties: { ...ends, ...second } } } : {}),
      ...change.resources,
    },
  }
}

/** The same as `cdk synth` writes it: with the paths of the constructs, and what the CDK adds to each stack. */
export function cdkOutput(change: Change = {}) {
  const resources = Object.entries(cloudFormation(change).Resources).map(([id, resource]) => {
    const Metadata = { 'aws:cdk:path': `Shop/${id}/Resource` }
    const policies =
      resource.Type === 'AWS::SQS::Queue' ? { UpdateReplacePolicy: 'Delete', DeletionPolicy: 'Delete' } : {}
    return [id, { ...resource, ...policies, Metadata }]
  })
  const CDKMetadata = {
    Type: 'AWS::CDK::Metadata',
    Properties: { Analytics: 'v2:deflate64:H4sIAAAAAAAA' },
    Metadata: { 'aws:cdk:path': 'Shop/CDKMetadata/Default' },
    Condition: 'CDKMetadataAvailable',
  }
  return {
    Resources: { ...Object.fromEntries(resources), CDKMetadata },
    Conditions: { CDKMetadataAvailable: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'eu-west-1'] } },
    Parameters: {
      BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/hnb659fds/version' },
    },
    Rules: { CheckBootstrapVersion: { Assertions: [] } },
  }
}

/** The same as the Serverless Framework writes it, for `functions.orders` with an `sqs` event. */
export function serverlessPackage(change: Change = {}) {
  const text = JSON.stringify(cloudFormation(change))
    .replaceAll('"Handler"', '"OrdersLambdaFunction"')
    .replaceAll('"Orders"', '"OrdersEventSourceMappingSQSQueue"')
  return { ...JSON.parse(text), Outputs: { ServerlessDeploymentBucketName: { Value: 'bucket' } } }
}

/** Writes a template to a file. Text is written unchanged, any other value as JSON. */
export function templateFile(t: Test, template: unknown, name = 'template.yaml'): string {
  const file = join(folder(t), name)
  writeFileSync(file, typeof template === 'string' ? template : JSON.stringify(template, undefined, 1))
  return file
}

export function read(t: Test, template: unknown, parameters: Record<string, string> = {}) {
  return readTemplate(templateFile(t, template), new Map(Object.entries(parameters)))
}

export async function findingsIn(
  t: Test,
  template: unknown,
  parameters: Record<string, string> = {},
): Promise<Finding[]> {
  return findingsInFile(templateFile(t, template), parameters)
}

/** The findings in a template that is a file. */
export function findingsInFile(file: string, parameters: Record<string, string> = {}): Finding[] {
  const { read, ...input } = ofTemplate(parseTemplate(file, readFileSync(file, 'utf8')))
  return read ? check({ ...input, model: read(new Map(Object.entries(parameters))) }) : []
}

/** The rule and the resource of each finding. */
export function ids(findings: readonly Finding[]) {
  return findings.map(({ rule, resource }) => `${rule} ${resource}`)
}

const SECTIONS = `
Parameters:
  Stage: { Type: String, Default: dev }
  Seconds: { Type: Number, Default: 40 }
  Names: { Type: CommaDelimitedList, Default: 'a, ReportBatchItemFailures' }
  Stored: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /seconds }
Mappings:
  Times: { dev: { visibility: 41 }, prod: { visibility: 900 } }
Conditions:
  Dev: !Equals [!Ref Stage, dev]
  NotDev: !Not [!Condition Dev]
  Both: !And [!Condition Dev, !Not [!Condition NotDev]]
`

/** A template whose queue has this visibility timeout. */
export function withVisibility(expression: string) {
  return `${SECTIONS}
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: ${expression} } }
  Handler:
    Type: AWS::Serverless::Function
    Properties: { Events: { Orders: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn } } } }
`
}

export function only(mappings: readonly Mapping[]): Mapping {
  const [mapping, ...more] = mappings
  if (!mapping || more.length > 0) throw new Error(`${mappings.length} mappings`)
  return mapping
}

export function short(setting: Setting<unknown> | undefined) {
  return setting?.state === 'known' ? setting.value : setting?.state === 'unknown' ? setting.reason : setting?.state
}
