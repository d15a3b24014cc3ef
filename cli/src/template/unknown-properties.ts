import { type Rejected, type Unread, valueIn } from '../model.ts'
import { closest } from './closest.ts'
import type { Position } from './document.ts'
import type { Reader } from './reader.ts'
import type { Resolved } from './resolve.ts'

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
const OF_SETTING = new Map([
  ['ScalingConfig', ['MaximumConcurrency']],
  ['ProvisionedPollerConfig', ['MinimumPollers', 'MaximumPollers', 'PollerGroupName']],
])
const OF_RESOURCE = new Map([
  ['AWS::Lambda::EventSourceMapping', OF_MAPPING],
  ['AWS::SQS::Queue', OF_QUEUE],
])

const SOURCE =
  'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html'

/**
 * Finds properties of mappings and queues that are not in the schemas. CloudFormation rejects such a property. A name
 * that differs from a known one by one letter counts as misspelled. Any other property may be newer than this list. The
 * template must be final, because a macro can replace properties.
 */
export function unknownProperties({ resolve, resources, property, propertiesOf, typeOf, conditionOf, text }: Reader) {
  const rejected: Rejected[] = []
  const unread: Unread[] = []

  function add(id: string, name: string, names: readonly string[], position: Position, isSet: boolean) {
    const misspelled = isSet ? closest(name, names, 1) : undefined
    const meant = closest(name, names)
    const fix = meant === undefined ? 'Check the name of the property.' : `Correct the name. Did you mean ${meant}?`
    if (misspelled !== undefined) {
      rejected.push({ id, position, reason: `there is no property ${name}`, fix, source: SOURCE })
      return
    }
    const unreadReason = 'it is not known to this version of doctor'
    unread.push({ id, position, what: `the property ${name}`, unreadReason, fix })
  }
  function check(id: string, properties: Resolved, names: readonly string[]): void {
    if (properties.kind !== 'map') return
    for (const [name, declaration] of properties.entries) {
      const value = resolve(declaration)
      if (value.kind !== 'absent' && !names.includes(name)) {
        add(id, name, names, declaration.position, value.kind !== 'unknown') // Fn::If may remove one that is unknown
      }
      const own = OF_SETTING.get(name)
      if (own) check(id, value, own)
    }
  }

  for (const id of resources.keys()) {
    const type = typeOf(id)
    if (conditionOf(id)?.verdict === false) continue
    const names = OF_RESOURCE.get(type)
    if (names) check(id, propertiesOf(id), names)
    const events = type === 'AWS::Serverless::Function' ? property(propertiesOf(id), 'Events') : undefined
    if (events?.kind !== 'map') continue
    for (const [name, declaration] of events.entries) {
      const event = resolve(declaration)
      if (valueIn(text(property(event, 'Type'))) !== 'SQS') continue
      check(`${id}/${name}`, property(event, 'Properties'), OF_EVENT)
    }
  }
  return { rejected, unread }
}
