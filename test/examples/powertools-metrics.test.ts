import type { SQSEvent } from 'aws-lambda'
import t from 'tap'
import { requestClock } from '../support/clock.ts'
import { printed } from '../support/compat.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDownstream } from '../support/services.ts'

const METRICS = [
  ...['succeeded', 'failed', 'timedOut', 'aborted', 'blocked', 'notStarted', 'handled', 'records', 'reported'].map(
    (Name) => ({ Name, Unit: 'Count' }),
  ),
  { Name: 'reportedShare', Unit: 'None' },
  { Name: 'peakInFlight', Unit: 'Count' },
  ...['recordP95', 'timeLeft'].map((Name) => ({ Name, Unit: 'Milliseconds' })),
]

t.test(
  'powertools-metrics.ts publishes the metrics of two concurrent batches, one of which runs out of time',
  async (t) => {
    const all = barrier(13)
    let calls = 0
    const never = Promise.withResolvers<number>()
    process.env.DOWNSTREAM_URL = await startDownstream(t, async ({ body }) => {
      if (body === 'body of m10') return never.promise
      if (++calls === 13) advance(5)
      await all() // so that both batches are in flight at once
      return ['body of m3', 'body of m5'].includes(body) ? 503 : 200
    })
    const { handler } = await import('../../examples/powertools-metrics.ts')
    const { until, advance } = requestClock(t, 1) // m10 hangs
    const run = async (count: number, timeout: number, queue = 'orders') => {
      const { Records } = standardEvent(...ids(count))
      for (const record of Records) record.eventSourceARN = `arn:aws:sqs:eu-west-1:123456789012:${queue}`
      return failed(await handler({ Records }, timedContext(timeout)))
    }

    const published = await printed(() =>
      logged(async () => {
        const [small, large] = await until(Promise.all([run(3, 30_000, 'rush-orders'), run(11, 1000)]))
        t.strictSame([small, large], [[], ['m3', 'm5', 'm10']])
      }),
    )
    const lines = published.filter(({ queue }) => queue === undefined)
    const none = { failed: 0, timedOut: 0, aborted: 0, blocked: 0, notStarted: 0, handled: 0 }
    t.strictSame(
      lines.map(({ _aws, recordP95, timeLeft, ...rest }) => rest),
      [
        { service: 'orders', ...none, records: 3, succeeded: 3, reported: 0, reportedShare: 0, peakInFlight: 3 },
        {
          service: 'orders',
          ...none,
          records: 11,
          succeeded: 8,
          failed: 2,
          aborted: 1,
          reported: 3,
          reportedShare: 3 / 11,
          peakInFlight: 11,
        },
      ],
    )
    t.strictSame(
      lines.map(({ recordP95, timeLeft }) => [recordP95, timeLeft]),
      [
        [5, 29_995],
        [948, 52], // (11 records × 0.008 ms + 11 handlers in flight × 0.25 ms + 50 ms) before the timeout, in whole ms
      ],
    )
    const { _aws } = lines[1] ?? {}
    const { Timestamp, ...metadata } = _aws as Record<string, unknown>
    t.strictSame(metadata, {
      CloudWatchMetrics: [{ Namespace: 'shop', Dimensions: [['service']], Metrics: METRICS }],
    })
    t.strictSame(
      published
        .filter(({ queue }) => queue !== undefined)
        .map(({ _aws, ...fields }) => [(_aws as typeof metadata).CloudWatchMetrics, fields]),
      [
        ['rush-orders', 0],
        ['orders', 3],
      ].map(([name, reported]) => [
        [{ Namespace: 'shop', Dimensions: [['service', 'queue']], Metrics: [{ Name: 'reported', Unit: 'Count' }] }],
        { service: 'orders', queue: `arn:aws:sqs:eu-west-1:123456789012:${name}`, reported },
      ]),
      'the reported records of each queue',
    )

    const empty = await printed(async () => t.strictSame(await until(run(0, 1000)), []))
    t.match(empty, [{ records: 0, reported: 0, reportedShare: 0, peakInFlight: 0 }])
    t.equal(empty.length, 1, 'an empty batch has no queue')
    t.notOk('recordP95' in (empty[0] as object), 'no handler ran')
    const bad = await printed(() =>
      t.rejects(handler({} as SQSEvent, timedContext(1000)), { name: 'InvalidSqsEventError' }),
    )
    t.strictSame(bad, [], 'an event that is not an SQS event is not counted')
  },
)
