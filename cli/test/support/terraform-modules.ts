// Plans as Terraform would print them for the examples of three public modules. They are written by hand from the
// sources of the modules, and contain little more than what `doctor` reads. The names of the resources at the root are
// our own.
import { type PlannedModule, shownPlan } from './terraform.ts'

type Values = Record<string, unknown>

const QUEUE = {
  content_based_deduplication: false,
  delay_seconds: 0,
  fifo_queue: false,
  kms_master_key_id: null,
  max_message_size: 262_144,
  message_retention_seconds: 345_600,
  receive_wait_time_seconds: 0,
  region: 'eu-west-1',
  tags: null,
  visibility_timeout_seconds: 30,
}
const QUEUE_UNKNOWN = ['arn', 'id', 'policy', 'redrive_allow_policy', 'redrive_policy', 'url']

export function queue(address: string, values: Values, expressions: Values = {}) {
  return { address, values: { ...QUEUE, ...values }, unknown: QUEUE_UNKNOWN, expressions }
}

const FUNCTION = {
  capacity_provider_config: [],
  dead_letter_config: [],
  durable_config: [],
  handler: 'index.handler',
  memory_size: 128,
  package_type: 'Zip',
  publish: false,
  region: 'eu-west-1',
  reserved_concurrent_executions: -1,
  runtime: 'nodejs24.x',
  tenancy_config: [],
  timeout: 3,
}
const FUNCTION_UNKNOWN = ['arn', 'id', 'invoke_arn', 'qualified_arn', 'role', 'version']

export function lambda(address: string, values: Values) {
  return { address, values: { ...FUNCTION, ...values }, unknown: FUNCTION_UNKNOWN }
}

const MAPPING = {
  batch_size: null,
  enabled: true,
  filter_criteria: [],
  function_response_types: null,
  maximum_batching_window_in_seconds: null,
  provisioned_poller_config: [],
  queues: null,
  region: 'eu-west-1',
  scaling_config: [],
  self_managed_event_source: [],
  starting_position: null,
  topics: null,
}

/** A mapping whose queue and function are created in the same plan. */
export function mapping(address: string, values: Values, source: readonly string[], target: readonly string[]) {
  const unknown = ['event_source_arn', 'function_name', 'function_arn', 'id', 'state', 'uuid']
  const expressions = { event_source_arn: { references: source }, function_name: { references: target } }
  const known = Object.keys(values)
  return {
    address,
    values: { ...MAPPING, ...values },
    unknown: unknown.filter((name) => !known.includes(name)),
    expressions,
  }
}

/** All prefixes of a reference, as Terraform lists them: `a.b[0].c`, `a.b[0]`, `a.b`. */
export function ref(reference: string): string[] {
  const shorter = reference.replace(/(\[[^\]]*\]|\.[\w-]+)$/, '')
  const isShortest = reference === shorter || shorter.split('.').length < 2
  return [reference, ...(isShortest ? [] : ref(shorter))]
}

/**
 * terraform-aws-modules/terraform-aws-lambda, examples/event-source-mapping: one module call with mappings of four
 * services. A plan shows only which resources the map of all mappings refers to.
 */
export function lambdaModule(sources: readonly string[], mappings: Readonly<Record<string, Values>>) {
  return shownPlan({
    resources: [
      queue('aws_sqs_queue.parcels', { name: 'parcels' }),
      queue('aws_sqs_queue.failed', { name: 'parcels-failed' }),
      { address: 'aws_kinesis_stream.scans', values: { name: 'scans' }, unknown: ['arn', 'id'] },
      { address: 'aws_mq_broker.labels', values: { broker_name: 'labels' }, unknown: ['arn', 'id'] },
    ],
    modules: {
      'module.parcels': {
        call: { event_source_mapping: { references: sources.flatMap(ref) } },
        resources: [
          lambda('aws_lambda_function.this[0]', { function_name: 'parcels', runtime: 'python3.12' }),
          ...Object.entries(mappings).map(([key, values]) => ({
            ...mapping(
              `aws_lambda_event_source_mapping.this["${key}"]`,
              values,
              ['each.value.event_source_arn', 'each.value'],
              ref('aws_lambda_function.this[0].arn'),
            ),
            forEach: ['var.event_source_mapping', 'local.create', 'var.create_function', 'var.create_layer'],
          })),
        ],
      },
    },
  })
}

/**
 * terraform-aws-modules/terraform-aws-sqs, examples/complete: a queue with its dead-letter queue, one with a dead-letter
 * queue of another call, one without, and one that is not created. The mappings are ours.
 */
export function sqsModule() {
  const main = (settings: Values) => queue('aws_sqs_queue.this[0]', settings)
  const policy = (name: string, references: readonly string[]) => ({
    address: `aws_sqs_queue_redrive_policy.${name}[0]`,
    values: { region: 'eu-west-1' },
    unknown: ['id', 'queue_url', 'redrive_policy'],
    expressions: {
      queue_url: { references: ref('aws_sqs_queue.this[0].url') },
      redrive_policy: { references },
    },
  })
  const outputs = {
    queue_arn: ref('aws_sqs_queue.this[0].arn'),
    queue_url: ref('aws_sqs_queue.this[0].url'),
    dead_letter_queue_arn: ref('aws_sqs_queue.dlq[0].arn'),
  }
  const withDeadLetters = (settings: Values, suffix = ''): PlannedModule => ({
    outputs,
    resources: [
      main({ ...settings, name: `${settings.name}${suffix}` }),
      queue('aws_sqs_queue.dlq[0]', { ...settings, name: `${settings.name}-dlq${suffix}` }),
      policy('dlq', [...ref('aws_sqs_queue.dlq[0].arn'), 'var.redrive_policy']),
    ],
  })
  const { resources, ...modules } = {
    resources: [
      lambda('aws_lambda_function.ship', { function_name: 'ship', timeout: 5 }),
      ...['payments', 'refunds', 'invoices', 'letters'].map((name) =>
        mapping(
          `aws_lambda_event_source_mapping.${name}`,
          { function_response_types: ['ReportBatchItemFailures'], function_name: 'ship' },
          ref(`module.${name}.queue_arn`),
          ref('aws_lambda_function.ship.function_name'),
        ),
      ),
    ],
    'module.payments': withDeadLetters({ name: 'payments', fifo_queue: true }, '.fifo'),
    'module.refunds': {
      outputs,
      call: { redrive_policy: { references: ref('module.letters.queue_arn') } },
      resources: [main({ name: 'refunds' }), policy('this', ['var.redrive_policy'])],
    },
    'module.letters': { outputs, resources: [main({ name: 'letters' })] },
    'module.invoices': { outputs, resources: [main({ name: 'invoices' })] },
    'module.disabled': { outputs, resources: [] },
  }
  return shownPlan({ resources, modules })
}

/**
 * Recall-Masters/terraform-aws-sqs-lambda-trigger, as its README uses it. It has a queue, its dead-letter queue and a
 * mapping without function_response_types. The caller passes the function as an object.
 */
export function triggerModule(settings: Values = {}) {
  return shownPlan({
    resources: [lambda('aws_lambda_function.audit', { function_name: 'audit', timeout: 10 })],
    modules: {
      'module.trigger': {
        call: { aws_lambda_function_to_trigger: { references: ['aws_lambda_function.audit'] } },
        resources: [
          queue('aws_sqs_queue.deadletter', { name: 'audit-events-deadletter', tags: { deadletter: 'true' } }),
          queue(
            'aws_sqs_queue.main',
            { name: 'audit-events', visibility_timeout_seconds: 60 },
            {
              redrive_policy: {
                references: [...ref('aws_sqs_queue.deadletter.arn'), 'var.deadletter_max_receive_count'],
              },
            },
          ),
          mapping(
            'aws_lambda_event_source_mapping.this',
            { batch_size: 100, maximum_batching_window_in_seconds: 20, function_name: 'audit', ...settings },
            ref('aws_sqs_queue.main.arn'),
            ['var.aws_lambda_function_to_trigger.function_name', 'var.aws_lambda_function_to_trigger'],
          ),
        ],
      },
    },
  })
}
