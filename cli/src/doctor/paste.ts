import type { Model, Resource, TemplateSource } from '../model/model.ts'
import { type AnyRow, FUNCTION_SETTINGS, MAPPING_SETTINGS, REDRIVE_SETTINGS, type Table } from '../model/settings.ts'
import type { Change } from '../rules/rule.ts'
import { memoize } from '../shared/memoize.ts'
import { createEditor, type Edit, inline } from './edit-template.ts'

/** Text that fixes a finding, and where to paste it. */
export interface Paste {
  language: 'yaml' | 'json' | 'cdk' | 'terraform'
  /** `Before line 12`, `In the construct Shop/Queue`, `In aws_sqs_queue.orders`, `In functions.ship of serverless.yml`. */
  where: string
  text: string
  /** The change of the file, for programs. Only for templates. */
  edit?: Edit
}

/** Where to paste each text, and the text, without the spaces before it. */
export function pastedLines(paste: readonly Paste[] = []): string[] {
  return paste.flatMap(({ where, text }) => [`${where}:`, `  ${text.trim()}`])
}

const RETENTION = 1_209_600
const MAX_RECEIVES = 5

function isOfRedrive(row: AnyRow) {
  return Object.values(REDRIVE_SETTINGS as Table).includes(row)
}

// The CDK.

/** The values of the CDK for texts that are not literals there. */
const CDK_VALUES: Readonly<Record<string, string>> = {
  runtime: 'Runtime.NODEJS_24_X',
  recursiveLoop: 'RecursiveLoop.TERMINATE',
  applicationLogLevelV2: 'ApplicationLogLevel.INFO',
}

function cdkText(row: AnyRow, value: unknown): string | undefined {
  const { cdk = '', isDuration } = row
  if (cdk === '') return undefined
  const [name, inner] = cdk.split('.') as [string, string?]
  const literal = isDuration
    ? `Duration.seconds(${value})`
    : (CDK_VALUES[name] ?? (Array.isArray(value) ? 'true' : String(value)))
  if (isOfRedrive(row)) return `${inner}: ${literal}`
  return inner === undefined ? `${name}: ${literal}` : `${name}: { ${inner}: ${literal} }`
}

function inConstruct(path: string, change: Change): Paste[] {
  const language = 'cdk'
  const where = `In the construct ${path}`
  if (change.kind === 'set') {
    const text = cdkText(change.row, change.value)
    const place = isOfRedrive(change.row) ? `In deadLetterQueue of the construct ${path}` : where
    return text === undefined ? [] : [{ language, where: place, text }]
  }
  const text = `deadLetterQueue: { queue: new Queue(this, '${path.split('/').at(-1)}DeadLetterQueue', { ${change.fifo ? 'fifo: true, ' : ''}retentionPeriod: Duration.days(14) }), maxReceiveCount: ${MAX_RECEIVES} }`
  return [{ language, where, text }]
}

// Terraform.

function hcl(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(hcl).join(', ')}]` : JSON.stringify(value)
}

function terraformText({ terraform }: AnyRow, value: unknown): string | undefined {
  const [name, , inner] = terraform ?? []
  if (name === undefined) return undefined
  return inner === undefined ? `${name} = ${hcl(value)}` : `${name} { ${inner} = ${hcl(value)} }`
}

function inTerraform({ id }: Resource, change: Change): Paste[] {
  const language = 'terraform'
  if (change.kind === 'set') {
    const text = terraformText(change.row, change.value)
    const where = isOfRedrive(change.row) ? `In redrive_policy of ${id}` : `In ${id}`
    return text === undefined ? [] : [{ language, where, text }]
  }
  const name = id.replaceAll(/.*aws_sqs_queue\.|\[.*/g, '') // the id is an address such as module.orders.aws_sqs_queue.main[0]
  const fifo = change.fifo ? 'fifo_queue = true\n  ' : ''
  const own = `${name}_dead_letter`
  const policy = `redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.${own}.arn, maxReceiveCount = ${MAX_RECEIVES} })`
  const declaration = `resource "aws_sqs_queue" "${own}" {\n  ${fifo}message_retention_seconds = ${RETENTION}\n}`
  const beside = id.startsWith('module.') ? `Beside ${id}, in its module` : `Beside ${id}`
  return [
    { language, where: `In ${id}`, text: policy },
    { language, where: beside, text: declaration },
  ]
}

// The Serverless Framework.

/** Names the settings of a function and of its `sqs` events as serverless.yml does. */
export function inServerlessWords(fix: string): string {
  const rows = Object.values<AnyRow>({ ...MAPPING_SETTINGS, ...FUNCTION_SETTINGS })
  return rows
    .reduce((text, { name, serverless }) => {
      return serverless === undefined ? text : text.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), serverless)
    }, fix)
    .replace('[ReportBatchItemFailures]', 'ReportBatchItemFailures')
    .replace(' in ScalingConfig,', '')
}

/**
 * Nothing is pasted into the template, because the next `serverless package` replaces it.
 *
 * @param name the function of serverless.yml that makes the resource, if one does
 */
function inServerless(source: TemplateSource, name: string | undefined, change: Change): Paste[] {
  const language = 'yaml'
  if (name === undefined) {
    return pathsOf(source, change).map(([path, value]) => ({
      language,
      where: `In ${['resources', ...path.slice(0, -1)].join('.')} of serverless.yml`,
      text: `${path.at(-1)}: ${inline(value, false)}`,
    }))
  }
  if (change.kind !== 'set' || change.row.serverless === undefined) return []
  const isMapping = source.typeOf(change.resource.id) === 'AWS::Lambda::EventSourceMapping'
  const where = isMapping ? `In the sqs event of ${name} in serverless.yml` : `In ${name} of serverless.yml`
  return [{ language, where, text: `${change.row.serverless}: ${[change.value].flat().join()}` }]
}

// Templates.

function pathsOf({ typeOf }: TemplateSource, change: Change, section?: string): [path: string[], value: unknown][] {
  const { id } = change.resource
  const [resource, event] = id.split('/') as [string, string?]
  const ofEvent = event === undefined ? [] : ['Events', event, 'Properties']
  const ofSubscription = 'isFromSnsEvent' in change.resource ? ['SqsSubscription'] : []
  const own = ['Resources', resource, 'Properties', ...ofEvent, ...ofSubscription]
  if (change.kind === 'dead-letter-queue') {
    // An existing resource of this name would be replaced.
    let added = `${resource}DeadLetterQueue`
    while (typeOf(added) !== '') added = `${added}2`
    const deadLetterTargetArn = { 'Fn::GetAtt': [added, 'Arn'] }
    const properties = { ...(change.fifo ? { FifoQueue: true } : {}), MessageRetentionPeriod: RETENTION }
    return [
      [[...own, 'RedrivePolicy'], { deadLetterTargetArn, maxReceiveCount: MAX_RECEIVES }],
      [['Resources', added], { Type: 'AWS::SQS::Queue', Properties: properties }],
    ]
  }
  const { row, value } = change
  const path = row.path.map(String)
  if (section === 'Globals') return [[['Globals', 'Function', ...path], value]]
  return [[[...own, ...(isOfRedrive(row) ? ['RedrivePolicy'] : []), ...path], value]]
}

function toPaste(edit: Edit, isJson: boolean): Paste {
  const { startLine, endLine, startColumn, endColumn } = edit
  const isInsertion = startLine === endLine && startColumn === endColumn
  const lines = endLine === startLine ? `line ${startLine}` : `lines ${startLine} to ${endLine}`
  const where = isInsertion ? `Before column ${startColumn} of line ${startLine}` : `Instead of ${lines}`
  const isOwnLine = edit.text.includes('\n') // a replacement has only one line
  const text = isOwnLine ? `${' '.repeat(startColumn - 1)}${edit.text.trimEnd()}` : edit.text.trim()
  return { language: isJson ? 'json' : 'yaml', where: isOwnLine ? `Before line ${startLine}` : where, text, edit }
}

/** Makes the texts that fix findings of a model, in the language of its input. */
export function createPaste({ source, language }: Pick<Model, 'source' | 'language'> = {}) {
  const editorOf = memoize(createEditor)
  return function pasteOf(change: Change, section?: string): Paste[] {
    if (language === 'terraform') return inTerraform(change.resource, change)
    if (!source) return []
    if (source.serverlessOf) return inServerless(source, source.serverlessOf(change.resource.id), change)
    const { text, constructOf } = source
    const construct = constructOf(change.resource.id)
    if (construct !== undefined) return inConstruct(construct, change)
    const paths = pathsOf(source, change, section)
    const edits = paths.map(([path, value]) => editorOf(text)(path, value)).filter((edit) => edit !== undefined)
    const isJson = text.trimStart().startsWith('{')
    return edits.length === paths.length ? edits.map((edit) => toPaste(edit, isJson)) : []
  }
}
