import type { RequestListener } from 'node:http'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import t from 'tap'
import { ids, sqsRecord } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDynamoDb } from '../support/services.ts'

t.test(
  'aws-sdk.ts writes each payment once, with as many sockets as records in flight, and reports refused payments',
  async (t) => {
    const { server, client } = await startDynamoDb(t, 'payments', 'paymentId')
    const [respond] = server.listeners('request') as RequestListener[]
    const hundred = barrier(100)
    let inFlight = 0
    let peakInFlight = 0
    server.removeAllListeners('request')
    server.on('request', async (request, response) => {
      if (request.headers['x-amz-target'] === 'DynamoDB_20120810.PutItem') {
        peakInFlight = Math.max(peakInFlight, ++inFlight)
        await hundred() // with the 50 sockets of the default agent, this would wait for ever
        response.on('finish', () => inFlight--)
      }
      respond?.(request, response)
    })

    process.env.TABLE_NAME = 'payments'
    const { handler } = await import('../../examples/aws-sdk.ts')

    const all = ids(130)
    const bodies: Record<string, string> = Object.fromEntries(
      all.map((id, index) => [id, JSON.stringify({ paymentId: `p${index}`, cents: index })]),
    )
    bodies.m5 = '{"paymentId":"","cents":5}' // DynamoDB refuses an empty key
    bodies.m50 = '{"paymentId":"p50","cents":0.5}' // not a Payment
    bodies.m128 = '{"paymentId":"","cents":128}'
    bodies.m129 = '{"paymentId":"p7","cents":7}' // the payment of m7
    const event = { Records: all.map((id) => sqsRecord(id, { body: bodies[id] as string })) }
    const expected = Object.fromEntries(all.map((_, index) => [`p${index}`, String(index)]))
    for (const id of ['p5', 'p50', 'p128', 'p129']) delete expected[id]

    for (const delivery of ['first', 'second']) {
      let response = { batchItemFailures: [] }
      const log = await logged(async () => {
        response = await handler(event, timedContext(LONG))
      })
      t.strictSame(failed(response), ['m5', 'm50', 'm128'], `the ${delivery} delivery`)
      t.match(log[0], /2 × ValidationException: .* \[m5, m128\]/)
      const { Items = [] } = await client.send(new ScanCommand({ TableName: 'payments' }))
      t.strictSame(Object.fromEntries(Items.map(({ paymentId, cents }) => [paymentId?.S, cents?.N])), expected)
    }
    t.equal(peakInFlight, 100)
  },
)
