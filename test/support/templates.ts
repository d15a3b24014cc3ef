import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { App, CloudFormationValidatePlugin } from 'aws-cdk-lib'
import { parse, type ScalarTag, YAMLMap } from 'yaml'
import { BatchStack, type BatchStackProps } from '../../examples/deploy/cdk/stack.ts'

// biome-ignore lint/suspicious/noExplicitAny: a template holds what its author wrote
export type Properties = Record<string, any>

export interface Template {
  Transform?: string
  Parameters?: Record<string, Properties>
  Mappings?: Record<string, Properties>
  Conditions?: Record<string, Properties>
  Resources: Record<string, { Type: string; Condition?: string; Properties: Properties; Metadata?: Properties }>
}

export const samFile = fileURLToPath(new URL('../../examples/deploy/sam/template.yaml', import.meta.url))

/** The SAM template with its short tags in their long form, without the resources of `PauseOnOutage` if it is false. */
export function samTemplate(pauseOnOutage = false): Template {
  const long = (name: string) => (items: unknown) => {
    const map = new YAMLMap()
    map.set(name, items)
    return map
  }
  const customTags = [
    { tag: '!Ref', resolve: (Ref: string) => ({ Ref }) },
    { tag: '!GetAtt', resolve: (path: string) => ({ 'Fn::GetAtt': path.split('.') }) },
    { tag: '!Sub', resolve: (text: string) => ({ 'Fn::Sub': text }) },
    { tag: '!FindInMap', collection: 'seq', resolve: long('Fn::FindInMap') },
    { tag: '!Equals', collection: 'seq', resolve: long('Fn::Equals') },
  ] as ScalarTag[]
  const template: Template = parse(readFileSync(samFile, 'utf8'), { customTags })
  const resources = Object.entries(template.Resources)
  const kept = resources.filter(([, { Condition }]) => pauseOnOutage || Condition !== 'PausesOnOutage')
  return { ...template, Resources: Object.fromEntries(kept) }
}

/** Synthesises the CDK stack, with its bundled function, into a folder. */
export function cdkTemplate(
  outdir: string,
  props: Partial<BatchStackProps> = {},
): { template: Template; file: string } {
  const app = new App({ outdir })
  new BatchStack(app, 'Batch', { downstreamUrl: 'https://example.com/', alarmEmail: 'a@example.com', ...props })
  const { template, templateFullPath } = app.synth().getStackByName('Batch')
  return { template, file: templateFullPath }
}

/** Writes a template into a file, and returns the file. */
export function writeTemplate(file: string, template: Template): string {
  writeFileSync(file, JSON.stringify(template))
  return file
}

/** The properties of the only resource of this type whose id starts with `id`. */
export function propertiesOf({ Resources }: Template, type: string, id = ''): Properties {
  const found = Object.entries(Resources).filter(([key, { Type }]) => Type === type && key.startsWith(id))
  if (found.length !== 1)
    throw new Error(`Expected one resource of type ${type} whose id starts with "${id}", found ${found.length}`)
  return found[0]?.[1].Properties as Properties
}

/** The properties of the resources of a template, to read or to change. SAM uses CloudFormation's names for the mapping. */
export function partsOf(template: Template) {
  const { Resources } = template
  const find = (type: string, id?: string) => propertiesOf(template, type, id)
  const serverless = Resources.Function?.Type === 'AWS::Serverless::Function'
  const lambda = find(serverless ? 'AWS::Serverless::Function' : 'AWS::Lambda::Function', 'Function')
  const queue = find('AWS::SQS::Queue', 'Queue')
  return {
    queue,
    redrive: queue.RedrivePolicy as Properties,
    deadLetterQueue: find('AWS::SQS::Queue', 'DeadLetterQueue'),
    lambda,
    mapping: serverless ? (lambda.Events.Queue.Properties as Properties) : find('AWS::Lambda::EventSourceMapping'),
  }
}

/** The name of a resource in the source of the stack, to which the CDK adds eight hexadecimal digits. */
function nameOf(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, '')
}

/** A template with the defaults of its parameters filled in. */
export function withDefaults(template: Template): Template {
  const { Parameters = {}, Mappings = {} } = template
  return JSON.parse(JSON.stringify(template), (_key, value) => {
    const standard = Parameters[value?.Ref]?.Default
    const [table, row, column] = value?.['Fn::FindInMap'] ?? []
    return table ? Mappings[table]?.[row][column] : (standard ?? value)
  })
}

/** A value as in the `Fn::Sub` of the SAM template: a text, or a reference with the name of its resource. */
export function written({ Resources }: Template, value: string | Properties): string {
  if (typeof value === 'string') return value
  const [id, attribute] = value['Fn::GetAtt'] ?? [value.Ref]
  // SAM makes the mapping of the event "Queue" of "Function". The CDK chooses another name.
  const name = Resources[id]?.Type === 'AWS::Lambda::EventSourceMapping' ? 'FunctionQueue' : nameOf(id)
  return `\${${[name, attribute].filter(Boolean).join('.')}}`
}

/** The properties of the alarms of a template, by name. */
export function alarmsOf({ Resources }: Template): Record<string, Properties> {
  const alarms = Object.entries(Resources).filter(([, { Type }]) => Type === 'AWS::CloudWatch::Alarm')
  return Object.fromEntries(alarms.map(([id, { Properties }]) => [nameOf(id), Properties]))
}

/** The metrics that an alarm reads: its own, or those of its expression, each with its `Id`. */
export function metricsOf(alarm: Properties): Properties[] {
  const stats: Properties[] | undefined = alarm.Metrics?.filter(({ MetricStat }: Properties) => MetricStat)
  return (
    stats?.map(({ Id, MetricStat: { Metric, Stat, Period } }) => ({ Id, ...Metric, Statistic: Stat, Period })) ?? [
      alarm,
    ]
  )
}

export interface Widget {
  type: string
  x: number
  y: number
  width: number
  height: number
  properties: Properties
}

/** The widgets of the dashboard of a template. References are written as in `Fn::Sub`, with names. */
export function widgetsOf(template: Template): Widget[] {
  const { DashboardBody } = propertiesOf(template, 'AWS::CloudWatch::Dashboard')
  return JSON.parse(writtenText(template, DashboardBody)).widgets
}

/** A text with references, from the `Fn::Join` of the CDK or the `Fn::Sub` of SAM, as in `Fn::Sub`. */
export function writtenText(template: Template, text: Properties): string {
  const [, parts] = text['Fn::Join'] ?? ['', [text['Fn::Sub']]]
  return parts.map((part: string | Properties) => written(template, part)).join('')
}

const validator = new CloudFormationValidatePlugin()

/** What AWS's template validator finds. It is part of the CDK and checks property names, types, ranges and references. */
export function violations(templatePath: string): string[] {
  const stack = { templatePath, stackConstructPath: '', accountId: undefined, region: undefined }
  const context = { templatePaths: [templatePath], stackTemplates: [stack], appConstruct: new App() }
  return validator.validate(context).violations.map(({ description }) => description)
}
