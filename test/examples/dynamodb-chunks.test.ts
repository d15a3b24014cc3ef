import type { RequestListener } from 'node:http'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { ScanCommand, type WriteRequest } from '@aws-sdk/client-dynamodb'
import t from 'tap'
import { ids, sqsRecord } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { listen, startDynamoDb } from '../support/services.ts'

t.test('dynamodb-chunks.ts writes up to 25 items per call and reports unprocessed ones', async (t) => {
  const table = await startDynamoDb(t, 'readings', 'readingId')
  // DynamoDB returns some items as unprocessed if it throttles the table. dynalite never does this, so a proxy holds
  // some items back.
  let heldBack = new Set<string | undefined>()
  const calls: WriteRequest[][] = []
  const holdBack: RequestListener = async (request, response) => {
    const { RequestItems } = (await json(request)) as { RequestItems: { readings: WriteRequest[] } }
    const { readings } = RequestItems
    calls.push(readings)
    const isHeldBack = ({ PutRequest }: WriteRequest) => heldBack.has(PutRequest?.Item?.readingId?.S)
    const kept = readings.filter((put) => !isHeldBack(put))
    const { host: _host, 'content-length': _length, ...headers } = request.headers as Record<string, string>
    const body = JSON.stringify({ RequestItems: { readings: kept } })
    const forwarded = await fetch(table.endpoint, { method: 'POST', headers, body })
    const result = (await forwarded.json()) as { UnprocessedItems?: object }
    const unprocessed = readings.filter(isHeldBack)
    if (forwarded.ok && unprocessed.length > 0) result.UnprocessedItems = { readings: unprocessed }
    response.writeHead(forwarded.status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(result))
  }
  const proxy = createServer(holdBack)
  process.env.AWS_ENDPOINT_URL_DYNAMODB = await listen(proxy)
  t.teardown(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  process.env.TABLE_NAME = 'readings'
  const { handler } = await import('../../examples/dynamodb-chunks.ts')

  const body = (readingId: string, celsius: number) => JSON.stringify({ readingId, celsius })
  const bodies = new Map(ids(60).map((id, index) => [id, body(`r${index}`, index)]))
  bodies.set('m4', body('', 4)) // DynamoDB refuses an empty key
  bodies.set('m9', body('r8', 900)) // the key of m8
  bodies.set('m21', body('r20', 2100)) // the key of m20
  bodies.set('m53', 'no JSON')
  const event = { Records: Array.from(bodies, ([id, body]) => sqsRecord(id, { body })) }
  async function written() {
    const { Items = [] } = await table.client.send(new ScanCommand({ TableName: 'readings' }))
    return Object.fromEntries(Items.map(({ readingId, celsius }) => [readingId?.S, Number(celsius?.N)]))
  }
  const expected: Record<string, number> = Object.fromEntries(ids(60).map((_, index) => [`r${index}`, index]))
  for (const key of ['r4', 'r9', 'r21', 'r53']) delete expected[key]
  Object.assign(expected, { r8: 900, r20: 2100 }) // of two records with one key, the later one is written

  heldBack = new Set(['r2', 'r20', 'r30', 'r59'])
  let response = { batchItemFailures: [] }
  const log = await logged(async () => {
    response = await handler(event, timedContext(LONG))
  })
  t.strictSame(failed(response), ['m2', 'm4', 'm20', 'm21', 'm30', 'm53', 'm59'])
  t.match(log[0], '7 of 60 records of orders failed')
  const sizes = calls.map((puts) => puts.length).sort((a, b) => a - b)
  t.strictSame(sizes, [9, 22, 25]) // 10 without m53; 25 without m4 and two keys that occur twice; 25
  const { r2, r20, r30, r59, ...processed } = expected
  t.strictSame(await written(), processed)

  heldBack.clear()
  const redelivered = { Records: event.Records.filter(({ messageId }) => failed(response).includes(messageId)) }
  await logged(async () => {
    t.strictSame(failed(await handler(redelivered, timedContext(LONG))), ['m4', 'm53'])
  })
  t.strictSame(await written(), { ...processed, r2, r20, r30, r59 })
})
