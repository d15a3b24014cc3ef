import t from 'tap'
import { fifoEvent } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDownstream } from '../support/services.ts'

t.test('fifo-orders.ts keeps the order of events per customer, and a failure blocks only its customer', async (t) => {
  const seen: Record<string, string[]> = {}
  const openOf = new Map<string, number>()
  const allThree = barrier(3)
  const refused = new Set(['body of b2'])
  process.env.ORDERS_URL = await startDownstream(t, async ({ path, idempotencyKey, body }) => {
    const open = (openOf.get(path) ?? 0) + 1
    openOf.set(path, open)
    t.equal(open, 1, `one event of ${path} at a time`)
    t.equal(body, `body of ${idempotencyKey}`)
    seen[path] = [...(seen[path] ?? []), body]
    await allThree() // waits until a record of each customer is in flight
    openOf.set(path, open - 1)
    return refused.has(body) ? 500 : 200
  })
  const { handler } = await import('../../examples/fifo-orders.ts')
  let response = { batchItemFailures: [] }

  const log = await logged(async () => {
    response = await handler(fifoEvent('a1', 'a2', 'b1', 'c1', 'b2', 'b3', 'a3', 'b4', 'c2', 'a4'), timedContext(LONG))
  })
  t.strictSame(failed(response), ['b2', 'b3', 'b4'])
  t.strictSame(seen, {
    '/customers/a/events': ['body of a1', 'body of a2', 'body of a3', 'body of a4'],
    '/customers/b/events': ['body of b1', 'body of b2'],
    '/customers/c/events': ['body of c1', 'body of c2'],
  })
  t.match(
    log[0],
    /3 of 10 records of orders\.fifo failed \(2 blocked\); [^\n]+\n {2}1 × Error: the order service returned 500 \[b2\]/,
  )

  refused.clear()
  t.strictSame(await handler(fifoEvent('b2', 'b3', 'b4'), timedContext(LONG)), { batchItemFailures: [] })
  t.strictSame(
    seen['/customers/b/events'],
    ['body of b1', 'body of b2', 'body of b2', 'body of b3', 'body of b4'],
    'the redelivery starts with the failed record',
  )
})
