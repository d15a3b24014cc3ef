import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { boundedSqsBatch } from '../../src/index.ts'
import { passingClock } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'

const CHANNELS = ['batch:start', 'batch:asyncEnd', 'record:start', 'record:asyncEnd'].map(
  (event) => `tracing:middy-bounded-sqs-batch:${event}`,
)

for (const isSubscribedFirst of [true, false]) {
  t.test(
    `construction calls no callback and publishes nothing to ${isSubscribedFirst ? 'earlier' : 'later'} subscribers`,
    async (t) => {
      const calls: unknown[] = []
      const errors = t.capture(console, 'error')
      const listen = (message: unknown) => calls.push(message)
      function subscribeAll() {
        for (const channel of CHANNELS) subscribe(channel, listen)
      }
      t.teardown(() => {
        for (const channel of CHANNELS) unsubscribe(channel, listen)
      })
      if (isSubscribedFirst) subscribeAll()
      boundedSqsBatch({
        onSummary: (summary) => calls.push(summary),
        onFailure: (failures) => {
          calls.push(failures)
          return failures
        },
        logger: (error) => calls.push(error),
        throwOnFullBatchFailure: true,
      })
      if (!isSubscribedFirst) subscribeAll()
      await setImmediate()
      t.strictSame(calls, [])
      t.strictSame(errors(), [])
    },
  )
}

t.test('a rate limit counts no record of the construction', async (t) => {
  const { until } = passingClock(t)
  const handle = handlerOf(() => {}, { rateLimit: { limit: 1, interval: 60_000 } })
  t.strictSame(failed(await until(handle(standardEvent('a', 'b'), timedContext(1_000)))), ['b'])
})
