import type { Rejected, Unread } from '../model/model.ts'
import { type Position, valueIn } from '../model/setting.ts'
import { closest } from '../shared/closest.ts'
import { type Reader, SECTIONS } from './reader.ts'
import { isOfOtherStack, type Resolved } from './resolve.ts'

const words = (text: string) => text.trim().split(/\s+/)

/** The properties of the schemas of CloudFormation, November 2026 (the package `@aws-cdk/aws-service-spec` 0.1.216). */
const OF_MAPPING = words(`
  AmazonManagedKafkaEventSourceConfig BatchSize BisectBatchOnFunctionError DestinationConfig DocumentDBEventSourceConfig
  Enabled EventSourceArn FilterCriteria FunctionName FunctionResponseTypes KmsKeyArn LoggingConfig
  MaximumBatchingWindowInSeconds MaximumRecordAgeInSeconds MaximumRetryAttempts MetricsConfig ParallelizationFactor
  ProvisionedPollerConfig Queues ScalingConfig SelfManagedEventSource SelfManagedKafkaEventSourceConfig
  SourceAccessConfigurations StartingPosition StartingPositionTimestamp Tags Topics TumblingWindowInSeconds
`)
const OF_QUEUE = words(`
  ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue FifoThroughputLimit KmsDataKeyReusePeriodSeconds
  KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod QueueName ReceiveMessageWaitTimeSeconds RedriveAllowPolicy
  RedrivePolicy SqsManagedSseEnabled Tags VisibilityTimeout
`)
/** An SQS event of SAM also takes properties of the mapping, and properties of the events of other services. */
const OF_EVENT = [...OF_MAPPING, ...words('ConsumerGroupId KafkaBootstrapServers Queue SecretsManagerKmsKeyId')]
/**
 * The properties of a function that are read here. Other properties are reported only if they resemble one of these.
 */
const OF_FUNCTION = words(`
  CapacityProviderConfig DeadLetterConfig DurableConfig FunctionName MemorySize ReservedConcurrentExecutions Runtime
  TenancyConfig Timeout
`)
const OF_SAM_FUNCTION = [...OF_FUNCTION, ...words('AutoPublishAlias DeadLetterQueue Events')]
const OF_DECLARATION = ['Type', 'Properties', 'Condition']
const OF_SETTING = new Map([
  ['ScalingConfig', ['MaximumConcurrency']],
  ['ProvisionedPollerConfig', ['MinimumPollers', 'MaximumPollers', 'PollerGroupName']],
])
const OF_RESOURCE = new Map([
  ['AWS::Lambda::EventSourceMapping', OF_MAPPING],
  ['AWS::SQS::Queue', OF_QUEUE],
])
const OF_PARTLY_READ = new Map([
  ['AWS::Lambda::Function', OF_FUNCTION],
  ['AWS::Serverless::Function', OF_SAM_FUNCTION],
])
const TYPES = [...OF_RESOURCE.keys(), ...OF_PARTLY_READ.keys()]

const SOURCE =
  'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html'

/**
 * Finds properties of mappings and queues that are not in the schemas, and misspelled properties and types of all
 * resources that are read. CloudFormation rejects them. A name that differs from a known one by one letter counts as
 * misspelled. Any other property may be newer than this list. The template must be final, because a macro can replace
 * properties.
 */
export function unknownProperties(reader: Reader) {
  const { root, resolve, resources, property, propertiesOf, typeOf, conditionOf, text } = reader
  const rejected: Rejected[] = []
  const unread: Unread[] = []

  function reject(id: string, position: Position, reason: string, meant: string) {
    rejected.push({ id, position, reason, fix: `Correct the name. Did you mean ${meant}?`, source: SOURCE })
  }
  function add(id: string, name: string, names: readonly string[], position: Position, isSet: boolean, kind: string) {
    const misspelled = isSet ? closest(name, names, 1) : undefined
    const meant = closest(name, names)
    if (misspelled !== undefined) return reject(id, position, `there is no ${kind} ${name}`, misspelled)
    const fix = meant === undefined ? `Check the name of the ${kind}.` : `Correct the name. Did you mean ${meant}?`
    const unreadReason = 'it is not known to this version of doctor'
    unread.push({ id, position, what: `the ${kind} ${name}`, unreadReason, fix })
  }
  function check(id: string, properties: Resolved, names: readonly string[], kind = 'property'): void {
    if (properties.kind !== 'map') return
    for (const [name, declaration] of properties.entries) {
      const value = resolve(declaration)
      if (value.kind !== 'absent' && !names.includes(name)) {
        add(id, name, names, declaration.position, value.kind !== 'unknown', kind) // Fn::If may remove one that is unknown
      }
      const own = OF_SETTING.get(name)
      if (own) check(id, value, own)
    }
  }
  /** Reports an unknown name only if it resembles one of `names`, because this list is not complete. */
  function checkSpelling(id: string, properties: Resolved, names: readonly string[], kind?: string): void {
    if (properties.kind !== 'map') return
    const similar = [...properties.entries].filter(([name]) => closest(name, names) !== undefined)
    check(id, { ...properties, entries: new Map(similar) }, names, kind)
  }
  function checkType(id: string, declaration: Resolved): void {
    const type = property(declaration, 'Type')
    const meant = TYPES.includes(typeOf(id)) ? undefined : closest(typeOf(id), TYPES, 1)
    if (meant !== undefined && type.position) {
      reject(id, type.position, `there is no resource type ${typeOf(id)}`, meant)
    }
  }

  checkSpelling('the template', resolve(root), SECTIONS, 'section')
  const globals = property(resolve(root), 'Globals')
  checkSpelling('Globals', globals, ['Function'], 'section')
  checkSpelling('Globals', property(globals, 'Function'), OF_SAM_FUNCTION)
  for (const [id, node] of resources) {
    const type = typeOf(id)
    if (conditionOf(id)?.verdict === false || isOfOtherStack(id)) continue
    const declaration = resolve(node)
    checkType(id, declaration)
    if (type === '' || TYPES.includes(type)) checkSpelling(id, declaration, OF_DECLARATION)
    const names = OF_RESOURCE.get(type)
    if (names) check(id, propertiesOf(id), names)
    checkSpelling(id, propertiesOf(id), OF_PARTLY_READ.get(type) ?? [])
    const events = type === 'AWS::Serverless::Function' ? property(propertiesOf(id), 'Events') : undefined
    if (events?.kind !== 'map') continue
    for (const [name, declaration] of events.entries) {
      const event = resolve(declaration)
      checkSpelling(`${id}/${name}`, event, OF_DECLARATION)
      if (valueIn(text(property(event, 'Type'))) !== 'SQS') continue
      check(`${id}/${name}`, property(event, 'Properties'), OF_EVENT)
    }
  }
  return { rejected, unread }
}
