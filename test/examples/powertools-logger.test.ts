import t from 'tap'
import { printed } from '../support/compat.ts'
import { sqsRecord, standardEvent } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDownstream } from '../support/services.ts'

t.test('powertools-logger.ts logs the record on each line, a line per failure, and a summary per batch', async (t) => {
  const all = barrier(4)
  process.env.DOWNSTREAM_URL = await startDownstream(t, async ({ body }) => {
    await all() // so that all records are in flight at once
    return body === 'body of c' ? 503 : 200
  })
  const { handler } = await import('../../examples/powertools-logger.ts')
  const event = standardEvent('a', 'b', 'c', 'd')
  const { attributes } = sqsRecord('c')
  event.Records[2] = sqsRecord('c', { attributes: { ...attributes, ApproximateReceiveCount: '3' } })

  let lines: Record<string, unknown>[] = []
  const others = await logged(async () => {
    lines = await printed(async () => t.strictSame(failed(await handler(event, timedContext(LONG))), ['c']))
  })
  t.strictSame(others, [], 'the default log is not written')
  const posted = lines.filter(({ message }) => message === 'posted')
  t.strictSame(
    new Map(posted.map(({ messageId, status }) => [messageId, status])),
    new Map([
      ['a', 200],
      ['b', 200],
      ['c', 503],
      ['d', 200],
    ]),
  )
  t.equal(posted.length, 4)
  const [failure, batch, ...rest] = lines.filter(({ message }) => message !== 'posted')
  t.match(failure, {
    level: 'ERROR',
    message: 'record failed',
    messageId: 'c',
    receiveCount: '3',
    error: { name: 'Error', message: 'downstream returned 503' },
    service: 'orders',
  })
  t.match(batch, { level: 'INFO', message: 'batch', records: 4, succeeded: 3, failed: 1, reported: 1, peakInFlight: 4 })
  t.strictSame(rest, [])
})
