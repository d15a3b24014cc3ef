// What the APIs of Lambda and SQS return for a rule case that is deployed. The clients of the SDK do not send requests,
// because two thousand of them take too long. deployed.test.ts tests the requests.
import { LambdaClient } from '@aws-sdk/client-lambda'
import { SQSClient } from '@aws-sdk/client-sqs'
import { readFunction } from '../../src/deployed/read-function.ts'
import type { Finding } from '../../src/doctor/check.ts'
import { check } from './doctor.ts'
import { type Change, settings } from './templates.ts'
import { resolved } from './terraform.ts'

type Values = Record<string, unknown>

/** The name of a queue. That of a FIFO queue ends in `.fifo`. */
function nameOf(id: 'Queue' | 'Dead', change: Change): string {
  const { FifoQueue = false } = settings(change)[id === 'Queue' ? 'queue' : 'dead'] as Values
  return FifoQueue ? `${id}.fifo` : id
}

/** The function and its queues in place of the names in `rule resource`. */
export function withNames(found: readonly string[], change: Change = {}): string[] {
  const [queue, dead] = [nameOf('Queue', change), nameOf('Dead', change)]
  const names: Values = { mapping: `Handler/${queue}`, second: `Handler/${queue}`, Queue: queue, Dead: dead }
  return found.map((id) => id.replace(/\w+$/, (name) => String(names[name] ?? name)))
}

/** The attributes of a queue, which are texts. */
function attributesOf(properties: Values): Values {
  const defaults = { VisibilityTimeout: 30, MessageRetentionPeriod: 345_600, DelaySeconds: 0 }
  const given = Object.entries(properties).filter(([, value]) => value !== undefined)
  const entries = Object.entries({ ...defaults, ...Object.fromEntries(given) })
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
  )
}

/** The SDK returns a list of filters only. */
function withList(criteria: unknown): unknown {
  const { Filters } = (criteria ?? {}) as { Filters?: unknown }
  return Array.isArray(Filters) ? criteria : undefined
}

function responsesTo(change: Change): (command: string, input: Values) => unknown {
  const names = [nameOf('Queue', change), nameOf('Dead', change)]
  const text = JSON.stringify(resolved(settings(change)))
  const named = text.replaceAll(/(?<=:)(Queue|Dead)(?=\\*")/g, (id) => nameOf(id as 'Queue' | 'Dead', change))
  const { mapping, second, function: target, queue, dead } = JSON.parse(named)
  const { ReservedConcurrentExecutions, RecursiveLoop = 'Terminate', ...configuration } = target
  const EventSourceArn = `arn:aws:sqs:eu-west-1:123456789012:${names[0]}`
  const FunctionArn = 'arn:aws:lambda:eu-west-1:123456789012:function:Handler'
  const toMapping = ({ Enabled = true, ...settings }: Values, index: number) => ({
    UUID: String(index),
    State: Enabled ? 'Enabled' : 'Disabled',
    BatchSize: 10,
    MaximumBatchingWindowInSeconds: 0,
    ...settings,
    FilterCriteria: withList(settings.FilterCriteria),
    FunctionArn,
    EventSourceArn,
  })
  const EventSourceMappings = [mapping, second].filter((one) => one !== undefined).map(toMapping)
  const attributes = [attributesOf(queue), attributesOf(dead)]
  return (command, { QueueName, QueueUrl }) => {
    switch (command) {
      case 'GetFunctionConfigurationCommand':
        return {
          FunctionName: 'Handler',
          FunctionArn,
          Timeout: 3,
          MemorySize: 128,
          PackageType: 'Zip',
          ...configuration,
        }
      case 'GetFunctionConcurrencyCommand':
        return { ReservedConcurrentExecutions }
      case 'ListEventSourceMappingsCommand':
        return { EventSourceMappings }
      case 'ListAliasesCommand':
        return { Aliases: [] }
      case 'GetQueueUrlCommand':
        if (names.includes(String(QueueName))) return { QueueUrl: QueueName }
        throw Object.assign(new Error(`there is no queue ${QueueName}`), { name: 'QueueDoesNotExist' })
      case 'GetQueueAttributesCommand':
        return { Attributes: attributes[names.indexOf(String(QueueUrl))] }
      case 'ListDeadLetterSourceQueuesCommand':
        return { queueUrls: [] }
      default:
        throw new Error(`expected no ${command}`)
    }
  }
}

/** The findings of the deployed function. Only one call at a time is possible. */
export async function findingsDeployed(change: Change = {}): Promise<Finding[]> {
  const respond = responsesTo(change)
  const send = async (command: { constructor: { name: string }; input: Values }) =>
    respond(command.constructor.name, command.input)
  for (const { prototype } of [LambdaClient, SQSClient]) Object.assign(prototype, { send })
  return check({ kind: 'deployed', model: await readFunction('Handler', 'eu-west-1') })
}
