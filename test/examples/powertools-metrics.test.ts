import type { SQSEvent } from 'aws-lambda'
import t from 'tap'
import { printed } from '../support/compat.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDownstream } from '../support/services.ts'

t.test(
  'powertools-metrics.ts publishes the metrics of concurrent batches and of one that runs out of time',
  async (t) => {
    const all = barrier(13)
    const never = Promise.withResolvers<number>()
    const downstream = await startDownstream(async ({ body }) => {
      if (body === 'body of m10') return never.promise
      await all() // so that both batches are in flight at once
      return ['body of m3', 'body of m5'].includes(body) ? 503 : 200
    })
    t.teardown(downstream.close)
    process.env.DOWNSTREAM_URL = downstream.url
    const { handler } = await import('../../examples/powertools-metrics.ts')
    const run = async (count: number, timeout: number) =>
      failed(await handler(standardEvent(...ids(count)), timedContext(timeout)))

    const start = performance.now()
    const lines = await printed(() =>
      logged(async () => {
        const [small, large] = await Promise.all([run(3, 30_000), run(11, 1000)])
        t.strictSame([small, large], [[], ['m3', 'm5', 'm10']])
      }),
    )
    const elapsed = performance.now() - start
    const none = { failed: 0, timedOut: 0, aborted: 0, notStarted: 0 }
    t.match(lines, [
      { service: 'orders', records: 3, succeeded: 3, ...none, reported: 0 },
      { service: 'orders', records: 11, succeeded: 8, ...none, failed: 2, aborted: 1, reported: 3 },
    ])
    t.equal(lines.length, 2)
    for (const { recordP95 } of lines as { recordP95: number }[]) t.ok(recordP95 > 0 && recordP95 <= elapsed)
    t.match(lines[1]?._aws, {
      CloudWatchMetrics: [
        {
          Namespace: 'shop',
          Dimensions: [['service']],
          Metrics: [
            ...['records', 'succeeded', 'failed', 'timedOut', 'aborted', 'notStarted', 'reported'].map((Name) => ({
              Name,
              Unit: 'Count',
            })),
            { Name: 'recordP95', Unit: 'Milliseconds' },
          ],
        },
      ],
    })

    const empty = await printed(async () => t.strictSame(await run(0, 1000), []))
    t.match(empty, [{ records: 0, reported: 0 }])
    t.notOk('recordP95' in (empty[0] as object), 'no handler ran')
    const bad = await printed(() =>
      t.rejects(handler({} as SQSEvent, timedContext(1000)), { name: 'InvalidSqsEventError' }),
    )
    t.strictSame(bad, [], 'an event that is not an SQS event is not counted')
  },
)
