import t from 'tap'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDownstream } from '../support/services.ts'

t.test(
  'http-fanout.ts posts every body, at most 100 at once, and reports the records that the downstream refused',
  async (t) => {
    const posted: string[] = []
    const hundred = barrier(100)
    let inFlight = 0
    let peakInFlight = 0
    process.env.DOWNSTREAM_URL = await startDownstream(t, async ({ body }) => {
      peakInFlight = Math.max(peakInFlight, ++inFlight)
      posted.push(body)
      await hundred()
      inFlight--
      return ['body of m7', 'body of m120', 'body of m249'].includes(body) ? 503 : 200
    })
    const { handler } = await import('../../examples/http-fanout.ts')

    let response = { batchItemFailures: [] }
    const log = await logged(async () => {
      response = await handler(standardEvent(...ids(250)), timedContext(LONG))
    })

    t.strictSame(failed(response), ['m7', 'm120', 'm249'])
    t.strictSame(
      posted.toSorted(),
      ids(250)
        .map((id) => sqsRecord(id).body)
        .toSorted(),
    )
    t.equal(peakInFlight, 100)
    t.equal(log.length, 1)
    t.match(
      log[0],
      /3 of 250 records of orders failed; [^\n]+\n {2}3 × Error: downstream returned 503 \[m7, m120, m249\]/,
    )
  },
)
