// The slow tests are last in each list.
const SCHEDULER = [
  'scheduler/job-states',
  'scheduler/fifo',
  'scheduler/record-errors',
  'scheduler/bound',
  'scheduler/hung-handler',
  'invocation/unknown-means-failed',
  'report/summary',
  'handlers/anything-thrown',
  'scheduler/rate-limit',
  'scheduler/rate-limit-end',
  'scheduler/time-budget',
  'invocation/concurrent-invocations',
  'scheduler/rate-limit-shared',
]
const CHUNKS = [
  'handlers/chunks',
  'handlers/chunk-results',
  'handlers/chunk-fifo',
  'handlers/chunk-time',
  'handlers/chunk-bodies',
]
const INVOCATION = [
  'invocation/other-inner-handlers',
  'invocation/failed-invocation',
  'invocation/unknown-means-failed',
  'invocation/event-unchanged',
  'invocation/bad-event',
]
const FAILURE_HANDLERS = [
  'report/failure-handlers',
  'report/failure-handlers-once',
  'report/failure-handlers-time',
  'report/failure-handlers-returned',
]
const TRACING = ['report/tracing', 'report/tracing-listeners']

/**
 * The tests that run for each mutant of a source file, those most likely to fail first, because a run ends at the first
 * failure. Tests of random cases are omitted: they detect a mutant in one run and not in the next.
 */
export const TESTS: Readonly<Record<string, readonly string[]>> = {
  'src/seen-records.ts': ['invocation/other-inner-handlers', 'invocation/failed-invocation'],
  'src/sqs-event.ts': [
    'invocation/bad-event',
    'scheduler/fifo',
    'invocation/event-unchanged',
    'invocation/other-inner-handlers',
    'handlers/chunk-fifo',
    'report/failure-handlers',
  ],
  'src/scheduler/job-states.ts': SCHEDULER,
  'src/scheduler/ready-queue.ts': [
    'scheduler/ready-queue',
    'scheduler/fifo',
    'handlers/chunk-fifo',
    'scheduler/rate-limit',
    'scheduler/bound',
  ],
  'src/handlers/jobs.ts': [
    ...CHUNKS,
    'invocation/bad-event',
    'scheduler/fifo',
    'report/failure-handlers',
    'scheduler/rate-limit',
    ...TRACING,
  ],
  'src/report/response.ts': [
    'report/known-ids',
    'invocation/other-inner-handlers',
    'handlers/chunk-results',
    'scheduler/fifo',
    'handlers/chunk-fifo',
    'report/exact-report',
    'invocation/failed-invocation',
    'scheduler/time-budget',
  ],
  'src/scheduler/scheduler.ts': [...SCHEDULER, ...TRACING],
  'src/invocation.ts': [
    ...INVOCATION,
    'scheduler/fifo',
    'report/on-summary',
    ...TRACING,
    'report/failure-handlers',
    'report/failure-handlers-once',
    'report/failure-handlers-time',
    'report/summary',
    'report/log',
    'handlers/chunks',
    'scheduler/rate-limit',
    'scheduler/time-budget',
    'invocation/concurrent-invocations',
    'report/exact-report',
  ],
  'src/report/failure-handlers.ts': FAILURE_HANDLERS,
  'src/scheduler/deadlines.ts': [
    'scheduler/deadlines',
    'scheduler/time-budget',
    'report/on-summary',
    'report/failure-handlers-time',
  ],
  'src/handlers/each-chunk.ts': [...CHUNKS, 'scheduler/rate-limit'],
  'src/handlers/run-batch.ts': [
    'handlers/chunks',
    'invocation/other-inner-handlers',
    'invocation/concurrent-invocations',
  ],
  'src/handlers/each-record.ts': [
    'handlers/bodies',
    'handlers/anything-thrown',
    'invocation/event-unchanged',
    'invocation/other-inner-handlers',
    'invocation/concurrent-invocations',
  ],
  'src/report/callbacks.ts': ['report/callbacks', 'report/on-summary', ...FAILURE_HANDLERS],
  'src/scheduler/job-options.ts': ['invocation/other-inner-handlers', ...SCHEDULER],
  'src/scheduler/event-loop.ts': [
    'scheduler/event-loop',
    'scheduler/time-budget',
    'scheduler/rate-limit',
    'scheduler/rate-limit-shared',
  ],
  'src/sqs/batch-calls.ts': ['sqs/batch-calls', 'sqs/dead-letter', 'sqs/unreachable'],
  'src/sqs/dead-letter.ts': ['sqs/dead-letter', 'sqs/options', 'sqs/unreachable', 'sqs/dead-letter-message'],
  'src/sqs/dead-letter-message.ts': ['sqs/dead-letter-message', 'sqs/dead-letter'],
  'src/sqs/retry-backoff.ts': ['sqs/retry-backoff', 'sqs/options', 'sqs/unreachable'],
  'src/sqs/reasons.ts': ['sqs/reasons', 'sqs/dead-letter', 'sqs/dead-letter-message'],
  'src/sqs/source-queue.ts': ['sqs/retry-backoff', 'sqs/unreachable'],
  'src/handlers/body.ts': [
    'handlers/bodies',
    'handlers/chunk-bodies',
    'handlers/chunks',
    'invocation/other-inner-handlers',
    'scheduler/rate-limit',
  ],
  'src/scheduler/rate-limit.ts': ['scheduler/rate-limit', 'scheduler/rate-limit-end', 'scheduler/rate-limit-shared'],
}
