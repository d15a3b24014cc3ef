import t from 'tap'
import { invoke } from '../../src/testing/index.ts'
import { LONG } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'
import { REGION, startSqs, toRecord } from '../support/sqs.ts'

t.test('sns-envelope.ts posts the message in the envelope of SNS, and reports ids of SQS messages', async (t) => {
  const posted: Record<string, unknown> = {}
  process.env.ORDERS_URL = await startDownstream(t, ({ idempotencyKey, body }) => {
    posted[idempotencyKey as string] = JSON.parse(body)
    return idempotencyKey === 'refused' ? 422 : 202
  })
  const { handler } = await import('../../examples/sns-envelope.ts')

  // SNS delivers the published messages to the queue. The test receives them as Lambda does.
  const { fauxqs, queue, receiveAll } = await startSqs(t)
  const { url, arn } = queue('orders')
  fauxqs.createTopic('events', { region: REGION })
  fauxqs.subscribe({ topic: 'events', queue: 'orders', region: REGION })
  const publish = (message: string, subject?: string) =>
    fauxqs.publish('events', message, { region: REGION, ...(subject === undefined ? {} : { subject }) })
  publish('{"orderId":"o1","cents":500}', 'created')
  publish('{"orderId":"o2","cents":700}')
  publish('{"orderId":"refused","cents":1}')
  publish('{"orderId":"","cents":13}')
  publish('a secret, no JSON')
  fauxqs.sendMessage('orders', '{"orderId":"direct","cents":1}', { region: REGION }) // not through SNS
  const event = { Records: (await receiveAll(url)).map((message) => toRecord(message, arn)) }
  t.equal(event.Records.length, 6)
  const of = (part: string) => event.Records.filter(({ body }) => body.includes(part)).map(({ messageId }) => messageId)
  const snsIds = event.Records.map(({ body }) => JSON.parse(body).MessageId)

  let failed: string[] = []
  const [log = ''] = await logged(async () => {
    failed = (await invoke(handler, event, { timeout: LONG })).failed.map(({ messageId }) => messageId)
  })
  t.strictSame(new Set(failed), new Set(['refused', '\\"cents\\":13', 'secret', 'direct'].flatMap(of)))
  t.equal(failed.length, 4)
  t.notOk(
    failed.some((id) => snsIds.includes(id)),
    'no id of SNS is reported',
  )
  t.strictSame(posted, {
    o1: { orderId: 'o1', cents: 500, subject: 'created' },
    o2: { orderId: 'o2', cents: 700 },
    refused: { orderId: 'refused', cents: 1 },
  })
  t.match(log, /1 × Error: the order service returned 422/)
  t.match(log, /1 × InvalidBodyError: The body does not match the schema: 1 issue at Message \[/)
  t.match(log, /1 × InvalidBodyError: The body does not match the schema: 1 issue at Message\.orderId/)
  t.match(log, /1 × InvalidBodyError: The body does not match the schema: 2 issues at Type, Message/)
  t.notMatch(log, /secret/)
})
