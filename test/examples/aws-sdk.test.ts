import type { RequestListener, Server } from 'node:http'
import { createRequire } from 'node:module'
import { CreateTableCommand, DynamoDBClient, ScanCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import t from 'tap'
import { failed, ids, logged, sqsRecord, timedContext } from '../support.ts'
import { barrier, listen } from './support.ts'

// DynamoDB's own protocol, in memory. It has no types.
const dynalite: (options: { createTableMs: number }) => Server = createRequire(import.meta.url)('dynalite')

t.test(
  'aws-sdk.ts writes each payment once, over as many sockets as the bound, and reports what is refused',
  async (t) => {
    const server = dynalite({ createTableMs: 0 })
    const [answer] = server.listeners('request') as RequestListener[]
    const hundred = barrier(100)
    let inFlight = 0
    let mostInFlight = 0
    server.removeAllListeners('request')
    server.on('request', async (request, response) => {
      if (request.headers['x-amz-target'] === 'DynamoDB_20120810.PutItem') {
        mostInFlight = Math.max(mostInFlight, ++inFlight)
        await hundred() // an agent of 50 sockets never gets past this
        response.on('finish', () => inFlight--)
      }
      answer?.(request, response)
    })

    Object.assign(process.env, {
      AWS_ENDPOINT_URL_DYNAMODB: await listen(server),
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      TABLE_NAME: 'payments',
    })
    t.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
    const table = new DynamoDBClient({})
    await table.send(
      new CreateTableCommand({
        TableName: 'payments',
        AttributeDefinitions: [{ AttributeName: 'paymentId', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'paymentId', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    )
    await waitUntilTableExists({ client: table, maxWaitTime: 10, minDelay: 1 }, { TableName: 'payments' })
    const { handler } = await import('../../examples/aws-sdk.ts')

    const all = ids(130)
    const bodies: Record<string, string> = Object.fromEntries(
      all.map((id, index) => [id, JSON.stringify({ paymentId: `p${index}`, cents: index })]),
    )
    bodies.m5 = '{"paymentId":"","cents":5}' // DynamoDB takes no empty key
    bodies.m50 = '{"paymentId":"p50","cents":0.5}' // not a Payment
    bodies.m128 = '{"paymentId":"","cents":128}'
    bodies.m129 = '{"paymentId":"p7","cents":7}' // m7 again
    const event = { Records: all.map((id) => sqsRecord(id, { body: bodies[id] as string })) }
    const expected = Object.fromEntries(all.map((_, index) => [`p${index}`, String(index)]))
    for (const id of ['p5', 'p50', 'p128', 'p129']) delete expected[id]

    for (const delivery of ['first', 'second']) {
      let response = { batchItemFailures: [] }
      const log = await logged(async () => {
        response = await handler(event, timedContext(30_000))
      })
      t.strictSame(failed(response), ['m5', 'm50', 'm128'], `the ${delivery} delivery`)
      t.match(log[0], /2 × ValidationException: .* \[m5, m128\]/)
      const { Items = [] } = await table.send(new ScanCommand({ TableName: 'payments' }))
      t.strictSame(Object.fromEntries(Items.map(({ paymentId, cents }) => [paymentId?.S, cents?.N])), expected)
    }
    t.equal(mostInFlight, 100)
  },
)
