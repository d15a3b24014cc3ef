import t from 'tap'
import { sqsEvent } from '../../src/testing/index.ts'
import { failed, testContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'

t.test('tickets.ts: handles records that failed five times, unless the ticket service fails', async (t) => {
  const tickets: unknown[] = []
  let status = 201
  process.env.TICKETS_URL = await startDownstream(t, ({ body }) => {
    tickets.push(...JSON.parse(body).map(({ record, reason }: Ticket) => [record.messageId, reason]))
    return status
  })
  const { handler } = await import('../../examples/tickets.ts')
  const records = ['a', '', ''].map((body, index) => ({ messageId: `m${index}`, body }))
  const respond = async (receiveCount: number) =>
    failed(await handler(sqsEvent(records, { receiveCount }), testContext()))

  await logged(async () => t.strictSame(await respond(4), ['m1', 'm2']))
  t.strictSame(tickets, [])
  await logged(async () => t.strictSame(await respond(5), []))
  t.strictSame(tickets, [
    ['m1', 'Error: empty'],
    ['m2', 'Error: empty'],
  ])
  status = 503
  const log = await logged(async () => t.strictSame(await respond(5), ['m1', 'm2']))
  t.match(log[0], /onFailure: Error: the ticket service returned 503/)
})

interface Ticket {
  readonly record: { readonly messageId: string }
  readonly reason: string
}
