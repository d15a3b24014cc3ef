/** What each rule of `doctor` finds, in Markdown, for docs/doctor-rules.md. */
export const FINDS: Readonly<Record<string, string>> = {
  'report-batch-item-failures':
    'ReportBatchItemFailures is off. An error with evidence in the JavaScript or TypeScript of the function, or in local code that it imports. Otherwise a warning, or an info if the batch size is 1. A warning if it is not known whether it is on.',
  'filter-pattern':
    'Lambda rejects the filter, or no message matches it. The pattern is not valid JSON, has a key other than `body`, or has an operator that does not exist.',
  'stream-setting':
    'The mapping of a queue has a setting that only streams have, such as `StartingPosition` or a destination of failures.',
  'fifo-batch-size': 'The batch size is over 10 on a FIFO queue.',
  'batch-needs-window': 'The batch size is over 10, and the batching window is below 1 s.',
  'fifo-window': 'A FIFO queue has a batching window.',
  'concurrency-and-provisioned': 'The mapping has a maximum concurrency and is in provisioned mode.',
  'poller-range': '`MinimumPollers` is above `MaximumPollers`.',
  quota: 'The mapping has more than 5 filters, or its maximum concurrency is above 1,000: the default quotas.',
  'concurrency-above-reserved':
    'The enabled mappings of a function can start more invocations than its reserved concurrency allows. A mapping counts with its maximum concurrency, or with 10 invocations for each of its `MaximumPollers`. An info if it is not known whether all of them are enabled.',
  'reserved-concurrency':
    'The function has a reserved concurrency, but the mapping has no maximum concurrency, or uses the default of 200 pollers. An error if the reserved concurrency is 0.',
  'disabled-mapping': 'The mapping is disabled.',
  'filter-criteria':
    'The mapping has filters. The finding says which messages Lambda deletes because they do not match. A warning if the queue is a dead-letter queue.',
  'competing-filters': 'Several mappings read the queue, and their filters differ.',
  'visibility-below-timeout': 'The visibility timeout (default 30 s) is below the timeout of a function (default 3 s).',
  'visibility-headroom':
    'The visibility timeout is below 6 times the timeout of the function plus the batching window.',
  'short-retention':
    'The retention period is not longer than the delay of the queue or the visibility timeout. A warning if it is not longer than the visibility timeout times `maxReceiveCount`.',
  'duplicate-mapping': 'Several mappings connect the same queue and the same function, alias or version.',
  'shared-queue': 'Several mappings read the queue, for different functions.',
  'sender-not-allowed':
    'A subscription of SNS, a rule of EventBridge or a bucket of S3 sends to the queue, and no policy of the queue allows `sqs:SendMessage` to its service. Conditions are not compared.',
  'key-stops-sender':
    'One of these services sends to the queue, and may not use its key. The queue has `alias/aws/sqs`, whose policy cannot be changed, or a key of the input that does not allow `kms:GenerateDataKey` and `kms:Decrypt` to the service.',
  'no-redrive-policy':
    'The queue has no redrive policy, or its redrive policy names the queue itself. A queue that is a dead-letter queue itself needs none.',
  'dead-letter-queue-refuses':
    'The `RedriveAllowPolicy` of the dead-letter queue is `denyAll`, or `byQueue` without the source queue.',
  'max-receive-count':
    '`maxReceiveCount` is below 5, or below 13 on a standard queue whose function calls `retryBackoff()`. Without `retryBackoff()`, the finding says how long an outage a message survives.',
  'dead-letter-retention':
    'The dead-letter queue of a standard queue keeps messages for a shorter time than the source queue.',
  'unused-failure-settings':
    'The function has a dead-letter queue of its own, a destination of failures or other settings of asynchronous invocations, and the input shows no other invoker than queues.',
  'missing-permission':
    'The code calls `deadLetter()`, `retryBackoff()` or `isolateCrashes()`, and no policy of the role or of a queue allows the action. Resources are not compared.',
  'role-cannot-read':
    'All policies of the role are known, and none allows `sqs:ReceiveMessage`, `sqs:DeleteMessage` or `sqs:GetQueueAttributes`. With a key of your own, the same for `kms:Decrypt`.',
  'memory-for-sqs':
    'The code calls `deadLetter()`, `retryBackoff()` or `isolateCrashes()`, and the function has less than 512 MB.',
  'tenant-isolation': 'The function has tenant isolation.',
  'invalid-value':
    'AWS rejects a value. Examples: a number that is out of range, a URL where an ARN belongs, a function, a queue or an attribute that does not exist, a dead-letter queue of the other type (FIFO or standard), a name of a FIFO queue without `.fifo`.',
  acceptance: 'An accepted finding has no reason, or there is no such finding.',
  'not-checked': 'What could not be checked, and why.',
}
