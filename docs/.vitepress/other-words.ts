/**
 * What people call the subject of a section, if its text has other words. Only the search reads them. A test checks that
 * the first words lead to the section.
 */
export const OTHER_WORDS: Record<string, string> = {
  'index#when-not': 'alternatives, need Middy, framework',
  'settings#which-settings': 'calculator, which settings, estimate costs, how full are batches',
  'deploy#functionresponsetypes-reportbatchitemfailures':
    'batchItemFailures ignored, partial batch response, turn on partial batch responses, failed messages were deleted, data loss',
  'from-powertools-batch#moving-from-aws-lambda-powertoolsbatch': 'migrate from Powertools',
  'failures#what-is-reported':
    'some messages succeed others not, some messages succeed, partial success, retry only one message, retry only failed messages',
  'failures#messages-that-are-processed-twice':
    'ChangeMessageVisibility for long calls, duplicates, exactly once, extend the visibility timeout, minutes',
  'outages#how-long-may-an-outage-last':
    'API down for an hour, third party unavailable, how many messages are dead-lettered',
  'crashes#what-if-one-message-crashes-the-function':
    'OOM, out of memory, memory limit exceeded, kill process out of memory, heap out of memory',
  'dead-letters#retry-after': '429 too many requests, wait as long as the server says',
  'batch-size#batchsize':
    'cheaper than batches of ten, price of a million messages, costs of Lambda, Lambda cost, price',
  'batch-size#concurrency': 'too many open files, sockets, file descriptors',
  'modules#typescript': 'TypeScript config, compiler options',
  'deploy#maximumconcurrency-or-provisioned-pollers': 'provisioned mode, provisioned pollers',
  'observability#observability-metrics-logs-ids-and-traces': 'alarms, dashboard, CloudWatch',
  'rate-limit#how-do-i-limit-the-rate': 'requests per second, throttle calls, limit API calls, quota',
  'databases#idempotency-in-postgresql': 'PostgreSQL idempotency, duplicates in the database',
  'databases#how-many-database-connections-do-i-need':
    'remaining connection slots are reserved, thousands of concurrent Lambdas, MySQL',
  'envelopes#how-do-i-read-and-validate-messages': 'malformed JSON, schema validation, one bad message fails the batch',
  'local#local-test-locally-without-aws':
    'production queue by accident, serverless-offline SQS, integration test in CI, run on my machine, several environments, batch size, concurrent invocations',
  'testing#localstack-elasticmq-moto-aws-emulator-or-sam': 'emulator, mock SQS',
  'versioning#is-it-safe-in-production': 'production ready, safe, tested',
  'operations#pause-the-queue': 'stop consuming, stop processing for a while, disable the trigger',
  'operations#redrive-after-the-fix': 'reprocess DLQ, replay, move back dead letters, dead-letter queue',
  'operations#from-a-dead-letter-to-a-breakpoint':
    'redrive a selection, redrive some messages, replay dead letters locally, debug a failed message',
  'operations#strictly-one-message-at-a-time': 'only one concurrent execution, one by one',
  'operations#a-fixed-number-of-retries':
    'try again after 5 minutes three times, retry count, wait before the next attempt',
  'monitoring#how-do-failed-records-get-into-sentry-datadog-or-new-relic': 'error tracking, APM',
  'observability#the-log-entry': 'JSON logs, log format, what is in the log',
  'fifo#what-happens-on-a-fifo-queue': 'FIFO order, order of messages, message order, ordering',
  'fifo#how-long-a-group-waits-after-a-failure': 'stuck message group, blocked group',
  'observability#an-id-on-every-log-line': 'correlation id, request id, appendKeys, trace of the wrong message',
  'not-invoked#why-does-lambda-not-read-my-queue': 'trigger not firing, Lambda does not start',
  'not-invoked#kms-no-kmsdecrypt-or-access-denied-by-a-queue-policy': 'KMSAccessDeniedException, encrypted',
  'troubleshooting#queue-visibility-timeout-30-seconds-is-less-than-function-timeout-60-seconds':
    'InvalidParameterValueException',
  'troubleshooting#records-are-dead-lettered-without-an-attempt':
    'throttled, reserved concurrency, dead-letter queue without a log line',
}
