import type { Severity } from '../../src/rules/rule.ts'
import { type Change, DAY, getAtt } from './templates.ts'

function policy(maxReceiveCount: unknown) {
  return {
    RedrivePolicy: { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount },
  }
}

export function fifo(change: Change): Change {
  return {
    ...change,
    mapping: { BatchSize: 10, MaximumBatchingWindowInSeconds: undefined, ...change.mapping },
    queue: { FifoQueue: true, ...change.queue },
    dead: { FifoQueue: true, MessageRetentionPeriod: 14 * DAY },
  }
}

export function concurrency(MaximumConcurrency: number) {
  return { ScalingConfig: { MaximumConcurrency } }
}

function pollers(MaximumPollers: unknown, MinimumPollers: unknown = 2) {
  return {
    ProvisionedPollerConfig: { MinimumPollers, MaximumPollers },
  }
}

const provisioned = pollers(100)
export function filters(...patterns: unknown[]) {
  return {
    FilterCriteria: { Filters: patterns.map((Pattern) => ({ Pattern })) },
  }
}

/** The property of a function on Lambda Managed Instances, whose content SAM and CloudFormation spell differently. */
const MANAGED = { CapacityProviderConfig: { Arn: 'arn:aws:lambda:eu-west-1:123456789012:capacity-provider:orders' } }
const BY_KIND = '{"body":{"kind":["a"]}}'
const BY_TYPE = '{ "body": { "type": ["order"] } }'

const ARN = 'arn:aws:sqs:eu-west-1:123456789012'

const OTHER_ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:Other'
const TOPIC_ARN = 'arn:aws:sns:eu-west-1:123456789012:orders'
/** What would be dead-lettered to the queue that the mapping reads, and the queue has no redrive policy. */
function deadLettersOf(
  resource: { Type: string; Properties: Record<string, unknown> },
  address: string,
  values: Record<string, unknown>,
): Change {
  return { queue: { RedrivePolicy: undefined }, resources: { Sender: resource }, terraform: [{ address, values }] }
}
const TO_QUEUE = { Arn: getAtt('Queue') }

export interface Case {
  title: string
  change?: Change
  /** All expected findings in order, as rule and resource. `mapping` is the name of the mapping. */
  found: string[]
  /** The severity of the first finding, if it is not always that of its rule. */
  severity?: Severity
  /** The findings in a state and in a plan of Terraform, if they differ. */
  inTerraform?: Exception
  /**
   * The findings in a plan that creates the resources, if they differ. By default, a policy that refers to another
   * resource is not checked in addition.
   */
  inPlan?: Exception
  /** The findings of the deployed function, if they differ. */
  deployed?: Exception
}

/** All findings of an input that shows a case in another way than a template does, and why. */
interface Exception {
  because: string
  found: readonly string[]
}

function exactly(because: string, ...found: string[]): Exception {
  return { because, found }
}

const POLICY_AFTER_APPLY = 'the redrive policy is known only after apply'
const SDK_HAS_LIST = 'the SDK always returns a list'

/** For each rule: templates that break it, and templates that differ as little as possible and do not break it. */
export const CASES: Case[] = [
  { title: 'a template without a problem', found: [] },

  {
    title: 'no FunctionResponseTypes',
    change: { mapping: { FunctionResponseTypes: undefined } },
    found: ['report-batch-item-failures mapping'],
    severity: 'warning',
  },
  {
    title: 'empty FunctionResponseTypes',
    change: { mapping: { FunctionResponseTypes: [] } },
    found: ['report-batch-item-failures mapping'],
    severity: 'warning',
  },
  {
    title: 'FunctionResponseTypes with a lower-case first letter',
    change: { mapping: { FunctionResponseTypes: ['reportBatchItemFailures'] } },
    found: ['invalid-value mapping'],
  },
  {
    title: 'FunctionResponseTypes with ReportBatchItemFailure, without the final s',
    change: { mapping: { FunctionResponseTypes: ['ReportBatchItemFailure'] } },
    found: ['invalid-value mapping'],
  },
  {
    title: 'no FunctionResponseTypes on a disabled mapping',
    change: { mapping: { FunctionResponseTypes: undefined, Enabled: false } },
    found: ['report-batch-item-failures mapping', 'disabled-mapping mapping'],
    severity: 'warning',
  },

  {
    title: 'a visibility timeout one second below the function timeout',
    change: { queue: { VisibilityTimeout: 29 } },
    found: ['visibility-below-timeout Queue'],
  },
  {
    title: 'the default visibility timeout (30 s), below the function timeout',
    change: { queue: { VisibilityTimeout: undefined }, function: { Timeout: 31 } },
    found: ['visibility-below-timeout Queue'],
  },
  {
    title: 'the default function timeout (3 s), above the visibility timeout',
    change: { queue: { VisibilityTimeout: 2 }, function: { Timeout: undefined } },
    found: ['visibility-below-timeout Queue'],
  },
  {
    title: 'a visibility timeout equal to the function timeout',
    change: { queue: { VisibilityTimeout: 30 } },
    found: ['visibility-headroom Queue'],
  },
  {
    title: 'a visibility timeout one second below six function timeouts plus the window',
    change: { queue: { VisibilityTimeout: 184 } },
    found: ['visibility-headroom Queue'],
  },
  {
    title: 'a visibility timeout of six function timeouts plus the window',
    change: { queue: { VisibilityTimeout: 185 } },
    found: [],
  },
  {
    title: 'a visibility timeout of six function timeouts, without a window',
    change: {
      queue: { VisibilityTimeout: 180 },
      mapping: { BatchSize: 10, MaximumBatchingWindowInSeconds: undefined },
    },
    found: [],
  },
  {
    title: 'the default visibility timeout (30 s) and the default function timeout (3 s)',
    change: {
      queue: { VisibilityTimeout: undefined },
      function: { Timeout: undefined },
      mapping: { BatchSize: 10, MaximumBatchingWindowInSeconds: undefined },
    },
    found: [],
  },

  {
    title: 'a batch size of 11 without a window',
    change: { mapping: { BatchSize: 11, MaximumBatchingWindowInSeconds: undefined } },
    found: ['batch-needs-window mapping'],
  },
  {
    title: 'a batch size of 10,000 with a window of 0',
    change: { mapping: { BatchSize: 10_000, MaximumBatchingWindowInSeconds: 0 } },
    found: ['batch-needs-window mapping'],
  },
  {
    title: 'a batch size of 11 with a window of 1 s',
    change: { mapping: { BatchSize: 11, MaximumBatchingWindowInSeconds: 1 } },
    found: [],
  },
  {
    title: 'the default batch size (10) without a window',
    change: { mapping: { BatchSize: undefined, MaximumBatchingWindowInSeconds: undefined } },
    found: [],
  },
  { title: 'a batch size of 10,001', change: { mapping: { BatchSize: 10_001 } }, found: ['invalid-value mapping'] },
  { title: 'a batch size of 10,000', change: { mapping: { BatchSize: 10_000 } }, found: [] },

  { title: 'a batch size of 10 on a FIFO queue', change: fifo({}), found: [] },
  {
    title: 'a batch size of 11 on a FIFO queue',
    change: fifo({ mapping: { BatchSize: 11 } }),
    found: ['fifo-batch-size mapping'],
  },
  {
    title: 'a window on a FIFO queue',
    change: fifo({ mapping: { MaximumBatchingWindowInSeconds: 1 } }),
    found: ['fifo-window mapping'],
  },
  {
    title: 'a window of 0 on a FIFO queue',
    change: fifo({ mapping: { MaximumBatchingWindowInSeconds: 0 } }),
    found: [],
  },
  {
    title: 'a batch size of 11 on a FIFO queue whose name ends in .fifo',
    change: fifo({ mapping: { BatchSize: 11 }, queue: { QueueName: 'orders.fifo' } }),
    found: ['fifo-batch-size mapping'],
  },

  { title: 'a maximum concurrency of 1', change: { mapping: concurrency(1) }, found: ['invalid-value mapping'] },
  {
    title: 'a maximum concurrency of 1,001',
    change: { mapping: concurrency(1001) },
    found: ['quota mapping'],
  },
  {
    title: 'a negative maximum concurrency',
    change: { mapping: concurrency(-1) },
    found: ['invalid-value mapping'],
  },
  { title: 'a maximum concurrency of 2', change: { mapping: concurrency(2) }, found: [] },
  { title: 'a maximum concurrency of 1,000', change: { mapping: concurrency(1000) }, found: [] },
  {
    title: 'a maximum concurrency out of range, and above the reserved concurrency',
    change: { mapping: concurrency(1001), function: { ReservedConcurrentExecutions: 5 } },
    found: ['concurrency-above-reserved Handler', 'quota mapping'],
  },
  {
    title: 'a maximum concurrency one above the reserved concurrency',
    change: { mapping: concurrency(6), function: { ReservedConcurrentExecutions: 5 } },
    found: ['concurrency-above-reserved Handler'],
  },
  {
    title: 'the lowest maximum concurrency (2), above the reserved concurrency',
    change: { mapping: concurrency(2), function: { ReservedConcurrentExecutions: 1 } },
    found: ['concurrency-above-reserved Handler'],
  },
  {
    title: 'the highest maximum concurrency (1,000), above the reserved concurrency',
    change: { mapping: concurrency(1000), function: { ReservedConcurrentExecutions: 999 } },
    found: ['concurrency-above-reserved Handler'],
  },
  {
    title: 'a maximum concurrency equal to the reserved concurrency',
    change: { mapping: concurrency(5), function: { ReservedConcurrentExecutions: 5 } },
    found: [],
  },
  {
    title: 'a maximum concurrency in provisioned mode',
    change: { mapping: { ...concurrency(5), ...provisioned } },
    found: ['concurrency-and-provisioned mapping'],
  },
  {
    title: 'a maximum concurrency in provisioned mode without MaximumPollers',
    change: { mapping: { ...concurrency(5), ...pollers(undefined) } },
    found: ['concurrency-and-provisioned mapping'],
  },
  {
    title: 'a maximum concurrency of 1 in provisioned mode',
    change: { mapping: { ...concurrency(1), ...provisioned }, function: { ReservedConcurrentExecutions: 0 } },
    found: ['reserved-concurrency Handler', 'invalid-value mapping'],
  },
  {
    title: 'a maximum concurrency in provisioned mode, above the reserved concurrency',
    change: { mapping: { ...concurrency(6), ...provisioned }, function: { ReservedConcurrentExecutions: 5 } },
    found: ['concurrency-and-provisioned mapping', 'concurrency-above-reserved Handler'],
  },
  {
    title: 'a maximum concurrency of 1 and a reserved concurrency of 0',
    change: { mapping: concurrency(1), function: { ReservedConcurrentExecutions: 0 } },
    found: ['reserved-concurrency Handler', 'invalid-value mapping'],
  },
  {
    title: 'MinimumPollers above MaximumPollers',
    change: { mapping: pollers(10, 11) },
    found: ['poller-range mapping'],
  },
  { title: 'MinimumPollers equal to MaximumPollers', change: { mapping: pollers(10, 10) }, found: [] },
  ...[
    ['StartingPosition', 'LATEST'],
    ['StartingPositionTimestamp', 1_700_000_000],
    ['BisectBatchOnFunctionError', true],
    ['MaximumRetryAttempts', 60],
    ['MaximumRecordAgeInSeconds', 60],
  ].map(
    ([name, value]): Case => ({
      title: `${name}, which only mappings of streams have`,
      change: { mapping: { [String(name)]: value } },
      found: ['stream-setting mapping'],
    }),
  ),
  {
    title: 'a destination of failures, which only mappings of streams have',
    change: { mapping: { DestinationConfig: { OnFailure: { Destination: `${ARN}:x` } } } },
    found: ['stream-setting mapping'],
  },
  {
    title: 'a dead-letter queue of the function, which a queue never uses',
    change: { function: { DeadLetterConfig: { TargetArn: `${ARN}:x` } } },
    found: ['unused-failure-settings Handler'],
    deployed: exactly('what else invokes a deployed function is not read'),
  },
  { title: 'MaximumPollers of 2,000', change: { mapping: pollers(2000) }, found: [] },
  { title: 'MaximumPollers of 2,001', change: { mapping: pollers(2001) }, found: ['invalid-value mapping'] },
  { title: 'MaximumPollers of 1', change: { mapping: pollers(1) }, found: ['invalid-value mapping'] },
  { title: 'MinimumPollers of 200', change: { mapping: pollers(200, 200) }, found: [] },
  { title: 'MinimumPollers of 201', change: { mapping: pollers(300, 201) }, found: ['invalid-value mapping'] },
  { title: 'MinimumPollers of 1', change: { mapping: pollers(300, 1) }, found: ['invalid-value mapping'] },

  {
    title: 'a reserved concurrency without a maximum concurrency',
    change: { function: { ReservedConcurrentExecutions: 10 } },
    found: ['reserved-concurrency mapping'],
  },
  {
    title: 'a reserved concurrency one below the maximum of a mapping (1,250)',
    change: { function: { ReservedConcurrentExecutions: 1249 } },
    found: ['reserved-concurrency mapping'],
  },
  {
    title: 'a reserved concurrency equal to the maximum of a mapping (1,250)',
    change: { function: { ReservedConcurrentExecutions: 1250 } },
    found: [],
  },
  {
    title: 'a reserved concurrency of 0 without a maximum concurrency',
    change: { function: { ReservedConcurrentExecutions: 0 } },
    found: ['reserved-concurrency Handler', 'reserved-concurrency mapping'],
    severity: 'error',
  },
  {
    title: 'a reserved concurrency above the maximum concurrency',
    change: { function: { ReservedConcurrentExecutions: 10 }, mapping: concurrency(2) },
    found: [],
  },
  {
    title: 'a reserved concurrency that the pollers may exceed',
    change: { function: { ReservedConcurrentExecutions: 999 }, mapping: pollers(100) },
    found: ['concurrency-above-reserved Handler'],
  },
  {
    title: 'a reserved concurrency that the pollers cannot exceed',
    change: { function: { ReservedConcurrentExecutions: 1000 }, mapping: pollers(100) },
    found: [],
  },
  {
    title: 'a reserved concurrency that the default of 200 pollers may exceed',
    change: { function: { ReservedConcurrentExecutions: 1999 }, mapping: pollers(undefined) },
    found: ['reserved-concurrency mapping'],
  },

  { title: 'one filter', change: { mapping: filters(BY_TYPE) }, found: ['filter-criteria mapping'] },
  {
    title: 'a filter on text',
    change: { mapping: filters('{ "body": ["order"] }') },
    found: ['filter-criteria mapping'],
  },
  {
    title: 'a filter on JSON, and one on text',
    change: { mapping: filters(BY_TYPE, '{ "body": ["order"] }') },
    found: ['filter-criteria mapping'],
  },
  {
    title: 'six filters, more than the default quota',
    change: { mapping: filters(...Array(6).fill(BY_TYPE)) },
    found: ['quota mapping', 'filter-criteria mapping'],
  },
  {
    title: 'five filters',
    change: { mapping: filters(...Array(5).fill(BY_TYPE)) },
    found: ['filter-criteria mapping'],
  },
  {
    title: 'eleven filters',
    change: { mapping: filters(...Array(11).fill(BY_TYPE)) },
    found: ['invalid-value mapping'],
  },
  { title: 'no filters', change: { mapping: filters() }, found: [] },
  { title: 'empty filter criteria', change: { mapping: { FilterCriteria: {} } }, found: [] },
  {
    title: 'Filters that are a map',
    change: { mapping: { FilterCriteria: { Filters: { Pattern: BY_TYPE } } } },
    found: ['invalid-value mapping'],
    inTerraform: exactly('a map is a block, which is a filter', 'filter-criteria mapping'),
    deployed: exactly(SDK_HAS_LIST),
  },
  {
    title: 'a filter that is not valid JSON',
    change: { mapping: filters('{ "body": ') },
    found: ['filter-pattern mapping'],
  },
  {
    title: 'a filter without a pattern',
    change: { mapping: filters(undefined) },
    found: ['filter-pattern mapping'],
  },
  {
    title: 'a filter whose pattern is a map',
    change: { mapping: filters({ body: { type: ['order'] } }) },
    found: ['filter-pattern mapping'],
  },
  {
    title: 'a filter on message attributes',
    change: { mapping: filters('{ "messageAttributes": { "type": ["order"] } }') },
    found: ['filter-pattern mapping'],
  },
  {
    title: 'two filters that cannot match, and one that can',
    change: { mapping: filters('{}', BY_TYPE, '[]') },
    found: ['filter-pattern mapping', 'filter-pattern mapping', 'filter-criteria mapping'],
  },
  { title: 'two mappings of a queue', change: { second: {} }, found: ['duplicate-mapping second'] },
  {
    title: 'mappings of two functions that read a queue',
    change: {
      resources: {
        Other: { Type: 'AWS::Lambda::Function', Properties: { Runtime: 'nodejs24.x', Timeout: 30, MemorySize: 512 } },
        OtherOrders: {
          Type: 'AWS::Lambda::EventSourceMapping',
          Properties: {
            FunctionName: { Ref: 'Other' },
            EventSourceArn: getAtt('Queue'),
            FunctionResponseTypes: ['ReportBatchItemFailures'],
          },
        },
      },
      terraform: [
        { address: 'aws_lambda_function.other', values: { function_name: 'Other', arn: OTHER_ARN, timeout: 30 } },
        {
          address: 'aws_lambda_event_source_mapping.other',
          values: {
            function_name: OTHER_ARN,
            event_source_arn: `${ARN}:Queue`,
            function_response_types: ['ReportBatchItemFailures'],
          },
        },
      ],
    },
    found: ['shared-queue Queue'],
    deployed: exactly('this input has only one function'),
  },
  {
    title: 'a reserved concurrency of 0, with a maximum concurrency',
    change: { function: { ReservedConcurrentExecutions: 0 }, mapping: concurrency(5) },
    found: ['reserved-concurrency Handler'],
    severity: 'error',
  },
  {
    title: 'a reserved concurrency of 1 without a maximum concurrency, which is at least 2',
    change: { function: { ReservedConcurrentExecutions: 1 } },
    found: ['reserved-concurrency mapping'],
  },
  {
    title: 'a filter on a mapping of a dead-letter queue',
    change: {
      ...deadLettersOf(
        { Type: 'AWS::Lambda::Function', Properties: { DeadLetterConfig: { TargetArn: getAtt('Queue') } } },
        'aws_lambda_function.other',
        { function_name: 'other', dead_letter_config: [{ target_arn: `${ARN}:Queue` }] },
      ),
      mapping: filters(BY_TYPE),
    },
    found: ['filter-criteria mapping'],
    severity: 'warning',
    deployed: exactly(
      'SQS lists only queues whose dead-letter queue it is',
      'no-redrive-policy Queue',
      'filter-criteria mapping',
    ),
  },
  {
    title: 'retention of less than the visibility timeout, without a redrive policy',
    change: { queue: { MessageRetentionPeriod: 100, RedrivePolicy: undefined } },
    found: ['short-retention Queue', 'no-redrive-policy Queue'],
    severity: 'error',
  },
  {
    title:
      'a visibility timeout of 20 s and retention of 60 s, which is too short for the visibility timeout that is advised',
    change: { queue: { VisibilityTimeout: 20, MessageRetentionPeriod: 60, RedrivePolicy: undefined } },
    found: ['visibility-below-timeout Queue', 'no-redrive-policy Queue'],
  },
  {
    title: 'retention that is long enough for 1,000 receives, but not with the visibility timeout that is advised',
    change: {
      queue: { VisibilityTimeout: 30, MessageRetentionPeriod: DAY, ...policy(1000) },
      dead: { MessageRetentionPeriod: 4 * DAY },
    },
    found: ['visibility-headroom Queue'],
  },
  {
    title: '14 days of retention, and too many receives with the visibility timeout that is advised',
    change: {
      function: { Timeout: 900 },
      queue: { VisibilityTimeout: 900, MessageRetentionPeriod: 14 * DAY, ...policy(1000) },
    },
    found: ['visibility-headroom Queue'],
  },
  {
    title: '14 days of retention, which are too short for 1,000 receives',
    change: { queue: { VisibilityTimeout: 43_200, MessageRetentionPeriod: 14 * DAY, ...policy(1000) } },
    found: ['short-retention Queue'],
    severity: 'warning',
    inPlan: exactly(POLICY_AFTER_APPLY, 'not-checked Queue'),
  },
  {
    title: 'a second mapping that is disabled',
    change: { second: { Enabled: false } },
    found: ['duplicate-mapping second', 'disabled-mapping second'],
  },
  {
    title: 'two mappings of a queue with different filters',
    change: { mapping: filters(BY_TYPE), second: filters(BY_KIND) },
    found: ['competing-filters Queue', 'duplicate-mapping second', 'filter-criteria mapping', 'filter-criteria second'],
  },
  {
    title: 'two mappings of a queue, of which only the second has a filter',
    change: { second: filters(BY_KIND) },
    found: ['competing-filters Queue', 'duplicate-mapping second', 'filter-criteria second'],
  },
  {
    title: 'two mappings of a queue, of which the second has another filter in addition',
    change: { mapping: filters(BY_TYPE), second: filters(BY_TYPE, BY_KIND) },
    found: ['competing-filters Queue', 'duplicate-mapping second', 'filter-criteria mapping', 'filter-criteria second'],
  },
  {
    title: 'two mappings of a queue with different filters, of which one is disabled',
    change: { mapping: filters(BY_TYPE), second: { ...filters(BY_KIND), Enabled: false } },
    found: ['duplicate-mapping second', 'filter-criteria mapping', 'disabled-mapping second', 'filter-criteria second'],
  },
  {
    title: 'two mappings of a queue with the same filters, in another order and with other spaces',
    change: { mapping: filters(BY_TYPE, BY_KIND), second: filters(BY_KIND.replace(':', ': '), BY_TYPE) },
    found: ['duplicate-mapping second', 'filter-criteria mapping', 'filter-criteria second'],
  },

  {
    title: 'an empty ProvisionedPollerConfig and a maximum concurrency',
    change: { mapping: { ...concurrency(5), ProvisionedPollerConfig: {} } },
    found: [],
  },
  { title: 'provisioned mode', change: { mapping: provisioned }, found: [] },

  { title: 'no redrive policy', change: { queue: { RedrivePolicy: undefined } }, found: ['no-redrive-policy Queue'] },
  {
    title: 'a dead-letter queue with a RedriveAllowPolicy of denyAll',
    change: { dead: { RedriveAllowPolicy: { redrivePermission: 'denyAll' } } },
    found: ['dead-letter-queue-refuses Dead'],
  },
  {
    title: 'a dead-letter queue that allows another queue',
    change: { dead: { RedriveAllowPolicy: { redrivePermission: 'byQueue', sourceQueueArns: [getAtt('Dead')] } } },
    found: ['dead-letter-queue-refuses Dead'],
  },
  {
    title: 'a dead-letter queue that allows no queue',
    change: { dead: { RedriveAllowPolicy: { redrivePermission: 'byQueue', sourceQueueArns: [] } } },
    found: ['dead-letter-queue-refuses Dead'],
  },
  {
    title: 'a dead-letter queue that allows the queue and another one',
    change: {
      dead: {
        RedriveAllowPolicy: { redrivePermission: 'byQueue', sourceQueueArns: [getAtt('Dead'), getAtt('Queue')] },
      },
    },
    found: [],
  },
  {
    title: 'a dead-letter queue that allows all queues',
    change: { dead: { RedriveAllowPolicy: { redrivePermission: 'allowAll' } } },
    found: [],
  },
  {
    title: 'no redrive policy on a FIFO queue',
    change: fifo({ queue: { RedrivePolicy: undefined } }),
    found: ['no-redrive-policy Queue'],
  },
  ...[4, '4'].map(
    (count): Case => ({
      title: `a maxReceiveCount of ${typeof count === 'string' ? `'${count}'` : count}`,
      change: { queue: policy(count) },
      found: ['max-receive-count Queue'],
      inPlan: exactly(POLICY_AFTER_APPLY, 'not-checked Queue'),
    }),
  ),
  { title: 'a maxReceiveCount of 6', change: { queue: policy(6) }, found: [] },
  {
    title: 'a dead-letter queue with the default retention (4 days), and a source with the maximum',
    change: { dead: { MessageRetentionPeriod: undefined }, queue: { MessageRetentionPeriod: 14 * DAY } },
    found: ['dead-letter-retention Dead'],
  },
  {
    title: 'a dead-letter queue with the default retention (4 days), as long as the source',
    change: { dead: { MessageRetentionPeriod: undefined }, queue: { MessageRetentionPeriod: 4 * DAY } },
    found: [],
  },

  {
    title: 'a dead-letter queue that keeps messages a second less than the source',
    change: { dead: { MessageRetentionPeriod: DAY - 1 }, queue: { MessageRetentionPeriod: DAY } },
    found: ['dead-letter-retention Dead'],
  },
  {
    title: 'a FIFO dead-letter queue that keeps messages for a shorter time than the source',
    change: { ...fifo({}), dead: { FifoQueue: true, MessageRetentionPeriod: DAY } },
    found: [],
  },

  {
    title: 'a timeout of 5,400 s on Managed Instances',
    change: { function: { ...MANAGED, Timeout: 5400 }, queue: { VisibilityTimeout: 32_405 } },
    found: [],
  },
  {
    title: 'a timeout of 5,401 s on Managed Instances',
    change: { function: { ...MANAGED, Timeout: 5401 }, queue: { VisibilityTimeout: 32_405 } },
    found: ['invalid-value Handler'],
  },
  {
    title: 'a memory size of 32,768 MB on Managed Instances',
    change: { function: { ...MANAGED, MemorySize: 32_768 } },
    found: [],
  },
  {
    title: 'a memory size of 32,769 MB on Managed Instances',
    change: { function: { ...MANAGED, MemorySize: 32_769 } },
    found: ['invalid-value Handler'],
  },
  {
    title: 'a memory size of 10,241 MB',
    change: { function: { MemorySize: 10_241 } },
    found: ['invalid-value Handler'],
  },
  {
    title: 'a timeout of 901 s',
    change: { function: { Timeout: 901 } },
    found: ['invalid-value Handler'],
  },
  {
    title: 'tenant isolation',
    change: { function: { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } } },
    found: ['tenant-isolation Handler'],
  },
  { title: 'no tenant isolation', change: { function: { TenancyConfig: { Ref: 'AWS::NoValue' } } }, found: [] },

  { title: 'a timeout of 1,200 s', change: { function: { Timeout: 1200 } }, found: ['invalid-value Handler'] },
  { title: 'a timeout of 0 s', change: { function: { Timeout: 0 } }, found: ['invalid-value Handler'] },
  { title: 'memory of 64 MB', change: { function: { MemorySize: 64 } }, found: ['invalid-value Handler'] },
  {
    title: 'a negative reserved concurrency',
    change: { function: { ReservedConcurrentExecutions: -1 } },
    found: ['invalid-value Handler'],
    inTerraform: exactly('-1 is the value of a function without reserved concurrency'),
  },
  { title: 'a negative batch size', change: { mapping: { BatchSize: -100 } }, found: ['invalid-value mapping'] },
  {
    title: 'a batch size that is the text ten',
    change: { mapping: { BatchSize: 'ten' } },
    found: ['invalid-value mapping'],
  },
  {
    title: 'a window of 301 s',
    change: { mapping: { MaximumBatchingWindowInSeconds: 301 } },
    found: ['invalid-value mapping'],
  },
  {
    title: 'a maximum concurrency of 2.5 with a reserved concurrency',
    change: { mapping: concurrency(2.5), function: { ReservedConcurrentExecutions: 1 } },
    found: ['invalid-value mapping'],
  },
  {
    title: 'a visibility timeout of more than 12 hours',
    change: { queue: { VisibilityTimeout: 43_201 } },
    found: ['invalid-value Queue'],
  },
  {
    title: 'retention of more than 14 days, without a redrive policy',
    change: { queue: { MessageRetentionPeriod: 14 * DAY + 1, RedrivePolicy: undefined } },
    found: ['invalid-value Queue', 'no-redrive-policy Queue'],
  },
  {
    title: 'a dead-letter queue with retention of less than a minute',
    change: { dead: { MessageRetentionPeriod: 59 } },
    found: ['invalid-value Dead'],
  },
  {
    title: 'a maxReceiveCount of 0',
    change: { queue: policy(0) },
    found: ['invalid-value Queue'],
    inPlan: exactly(POLICY_AFTER_APPLY, 'not-checked Queue'),
  },
  {
    title: 'a redrive policy that is a list',
    change: { queue: { RedrivePolicy: [] } },
    found: ['invalid-value Queue'],
  },
  ...[
    {},
    { maxReceiveCount: 5 },
    { deadLetterTargetArn: getAtt('Dead') },
    { DeadLetterTargetArn: getAtt('Dead'), MaxReceiveCount: 5 },
    { deadLetterTargetArn: getAtt('Dead'), MaxReceiveCount: 5 },
    { deadLetterTargetArn: { Ref: 'AWS::NoValue' }, maxReceiveCount: 5 },
  ].flatMap((RedrivePolicy): Case[] => {
    const has = Object.keys(RedrivePolicy).join(' and ') || 'nothing'
    const last = 'Ref' in (RedrivePolicy.deadLetterTargetArn ?? {}) ? ', where deadLetterTargetArn is AWS::NoValue' : ''
    const change = { queue: { RedrivePolicy } }
    const refersToQueue = 'Fn::GetAtt' in (RedrivePolicy.deadLetterTargetArn ?? {})
    const inPlan = (...found: string[]) =>
      refersToQueue ? { inPlan: exactly(POLICY_AFTER_APPLY, ...found, 'not-checked Queue') } : {}
    return [
      {
        title: `a redrive policy with ${has}${last}`,
        change,
        found: ['invalid-value Queue'],
        ...inPlan(),
      },
      {
        title: `a redrive policy with ${has}${last}, on a FIFO queue`,
        change: fifo(change),
        found: ['invalid-value Queue'],
        ...inPlan(),
      },
    ]
  }),
  {
    title: 'a FIFO queue whose dead-letter queue is a standard queue',
    change: { ...fifo({}), dead: { FifoQueue: undefined } },
    found: ['invalid-value Queue'],
  },
  {
    title: 'a standard queue whose dead-letter queue is a FIFO queue',
    change: { dead: { FifoQueue: true } },
    found: ['invalid-value Queue'],
  },
  ...[false, true].flatMap((isFifo) =>
    [false, true].map((isFifoTarget): Case => {
      const [kind, target] = [isFifo, isFifoTarget].map((fifo) => (fifo ? 'FIFO' : 'standard'))
      const deadLetterTargetArn = `arn:aws:sqs:eu-west-1:123456789012:orders-dead${isFifoTarget ? '.fifo' : ''}`
      const change = { queue: { RedrivePolicy: { deadLetterTargetArn, maxReceiveCount: 5 } } }
      return {
        title: `a ${kind} queue with the ARN of a ${target} queue in another stack as its dead-letter queue`,
        change: isFifo ? fifo(change) : change,
        found: [
          ...(isFifo === isFifoTarget ? [] : ['invalid-value Queue']),
          // The retention of its dead-letter queue.
          ...(!isFifo && !isFifoTarget ? ['not-checked Queue'] : []),
        ],
      }
    }),
  ),
  {
    title: 'a dead-letter queue that is a function',
    change: { queue: { RedrivePolicy: { deadLetterTargetArn: getAtt('Handler'), maxReceiveCount: 5 } } },
    found: ['invalid-value Queue'],
    inPlan: exactly(POLICY_AFTER_APPLY, 'not-checked Queue', 'not-checked Queue'),
  },
  {
    title: 'a dead-letter queue that is named by its URL',
    change: { queue: { RedrivePolicy: { deadLetterTargetArn: { Ref: 'Dead' }, maxReceiveCount: 5 } } },
    found: ['invalid-value Queue'],
    inPlan: exactly(POLICY_AFTER_APPLY, 'invalid-value Queue', 'not-checked Queue'),
  },
  {
    title: 'a dead-letter queue that is named by its name',
    change: { queue: { RedrivePolicy: { deadLetterTargetArn: 'Dead', maxReceiveCount: 5 } } },
    found: ['invalid-value Queue'],
  },
  {
    title: 'FunctionResponseTypes that is not a list',
    change: { mapping: { FunctionResponseTypes: 'ReportBatchItemFailures' } },
    found: ['invalid-value mapping'],
  },
  {
    title: 'three settings with a value that AWS rejects',
    change: { mapping: { BatchSize: 0, MaximumBatchingWindowInSeconds: -1 }, function: { Timeout: 901 } },
    found: ['invalid-value mapping', 'invalid-value mapping', 'invalid-value Handler'],
    inTerraform: exactly(
      'a batch size of 0 is an argument that is not set',
      'invalid-value mapping',
      'invalid-value Handler',
    ),
  },
  {
    title: 'a container image, which has no runtime',
    change: { function: { Runtime: undefined, PackageType: 'Image' } },
    found: [],
  },

  {
    title: 'retention equal to the visibility timeout',
    change: { queue: { MessageRetentionPeriod: 185 } },
    found: ['short-retention Queue'],
    severity: 'error',
  },
  {
    title: 'retention of one second more than the visibility timeout',
    change: { queue: { MessageRetentionPeriod: 186 } },
    found: ['short-retention Queue'],
    severity: 'warning',
    inPlan: exactly(POLICY_AFTER_APPLY, 'not-checked Queue'),
  },
  {
    title: 'retention equal to the visibility timeout × maxReceiveCount',
    change: { queue: { MessageRetentionPeriod: 185 * 5 } },
    found: ['short-retention Queue'],
    severity: 'warning',
    inPlan: exactly(POLICY_AFTER_APPLY, 'not-checked Queue'),
  },
  {
    title: 'retention of one second more than the visibility timeout × maxReceiveCount',
    change: { queue: { MessageRetentionPeriod: 185 * 5 + 1 } },
    found: [],
  },
  {
    title: 'retention equal to the delay',
    change: { queue: { MessageRetentionPeriod: 900, DelaySeconds: 900 } },
    found: ['short-retention Queue'],
    severity: 'error',
  },
  {
    title: 'retention above the delay and above all deliveries',
    change: { queue: { MessageRetentionPeriod: 926, DelaySeconds: 900 } },
    found: [],
  },
  {
    title: 'a queue without a redrive policy that is the dead-letter queue of a subscription',
    change: deadLettersOf(
      {
        Type: 'AWS::SNS::Subscription',
        Properties: {
          TopicArn: TOPIC_ARN,
          Protocol: 'https',
          Endpoint: 'https://x',
          RedrivePolicy: { deadLetterTargetArn: getAtt('Queue') },
        },
      },
      'aws_sns_topic_subscription.other',
      {
        topic_arn: TOPIC_ARN,
        protocol: 'https',
        endpoint: 'https://x',
        redrive_policy: `{"deadLetterTargetArn":"${ARN}:Queue"}`,
      },
    ),
    found: [],
    deployed: exactly('SQS lists only queues whose dead-letter queue it is', 'no-redrive-policy Queue'),
  },
  {
    title: 'a queue without a redrive policy that is the dead-letter queue of another function',
    change: deadLettersOf(
      {
        Type: 'AWS::Lambda::Function',
        Properties: { Runtime: 'nodejs24.x', DeadLetterConfig: { TargetArn: getAtt('Queue') } },
      },
      'aws_lambda_function.other',
      { function_name: 'other', dead_letter_config: [{ target_arn: `${ARN}:Queue` }] },
    ),
    found: [],
    deployed: exactly('SQS lists only queues whose dead-letter queue it is', 'no-redrive-policy Queue'),
  },
  {
    title: 'a queue without a redrive policy that is the dead-letter queue of the target of a rule',
    change: deadLettersOf(
      {
        Type: 'AWS::Events::Rule',
        Properties: { Targets: [{ Id: 'a', Arn: 'arn:aws:lambda:x', DeadLetterConfig: TO_QUEUE }] },
      },
      'aws_cloudwatch_event_target.other',
      { arn: 'arn:aws:lambda:x', dead_letter_config: [{ arn: `${ARN}:Queue` }] },
    ),
    found: [],
    deployed: exactly('SQS lists only queues whose dead-letter queue it is', 'no-redrive-policy Queue'),
  },
  {
    title: 'a queue without a redrive policy that is the dead-letter queue of a schedule',
    change: deadLettersOf(
      {
        Type: 'AWS::Scheduler::Schedule',
        Properties: { Target: { Arn: 'arn:aws:lambda:x', DeadLetterConfig: TO_QUEUE } },
      },
      'aws_scheduler_schedule.other',
      { target: [{ arn: 'arn:aws:lambda:x', dead_letter_config: [{ arn: `${ARN}:Queue` }] }] },
    ),
    found: [],
    deployed: exactly('SQS lists only queues whose dead-letter queue it is', 'no-redrive-policy Queue'),
  },
  {
    title: 'a queue without a redrive policy to which a rule sends events',
    change: deadLettersOf(
      { Type: 'AWS::Events::Rule', Properties: { Targets: [{ Id: 'a', Arn: getAtt('Queue') }] } },
      'aws_cloudwatch_event_target.other',
      { arn: `${ARN}:Queue` },
    ),
    found: ['sender-not-allowed Sender', 'no-redrive-policy Queue'],
    deployed: exactly('the API does not show what sends to a queue', 'no-redrive-policy Queue'),
  },

  {
    title: 'a maximum concurrency and pollers, together above the reserved concurrency',
    change: { mapping: concurrency(5), second: pollers(10), function: { ReservedConcurrentExecutions: 104 } },
    found: ['concurrency-above-reserved Handler', 'duplicate-mapping second'],
  },
  {
    title: 'a maximum concurrency and pollers, together equal to the reserved concurrency',
    change: { mapping: concurrency(5), second: pollers(10), function: { ReservedConcurrentExecutions: 105 } },
    found: ['duplicate-mapping second'],
  },
]
