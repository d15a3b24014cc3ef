import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { json, text } from 'node:stream/consumers'
import {
  CreateTableCommand,
  DynamoDBClient,
  ScanCommand,
  type WriteRequest,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import type { Test } from 'tap'

/** A request that the downstream received. */
export interface Posted {
  readonly path: string
  readonly idempotencyKey: string | undefined
  readonly body: string
}

/** Starts a service that responds to each request with the status that `statusOf` returns. Returns its URL. */
export async function startDownstream(t: Test, statusOf: (posted: Posted) => number | Promise<number>) {
  return startServer(t, async (request, response) => {
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined
    const posted = { path: request.url as string, idempotencyKey, body: await text(request) }
    response.writeHead(await statusOf(posted)).end('the response')
  })
}

/** Starts a server on a free port of loopback until the test ends. Returns its URL. */
export async function startServer(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  t.teardown(() => close(server))
  return listen(server)
}

/** Makes a server listen on a free port of loopback. Returns its URL. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function close(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

/** Returns a function whose promises resolve when it has been called `count` times. */
export function barrier(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let calls = 0
  return () => {
    if (++calls >= count) resolve()
    return promise
  }
}

/** Makes every AWS SDK client of a service in this process use this server. */
export function useEndpoint(
  service: 'DYNAMODB' | 'LAMBDA' | 'S3' | 'SECRETS_MANAGER' | 'SQS' | 'SSM',
  endpoint: string,
): void {
  Object.assign(process.env, {
    [`AWS_ENDPOINT_URL_${service}`]: endpoint,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  })
}

// dynalite speaks DynamoDB's protocol and stores the data in memory. It has no types.
const dynalite: (options: { createTableMs: number }) => Server = createRequire(import.meta.url)('dynalite')

/** Starts a DynamoDB with an empty table whose key is a text. Every client in this process uses it. */
export async function startDynamoDb(t: Test, TableName: string, key: string) {
  const server = dynalite({ createTableMs: 0 })
  const endpoint = await listen(server)
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  useEndpoint('DYNAMODB', endpoint)
  const client = new DynamoDBClient({ endpoint })
  const table = new CreateTableCommand({
    TableName,
    AttributeDefinitions: [{ AttributeName: key, AttributeType: 'S' }],
    KeySchema: [{ AttributeName: key, KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  })
  await client.send(table)
  await waitUntilTableExists({ client, maxWaitTime: 120, minDelay: 1 }, { TableName })
  return { server, endpoint, client }
}

/**
 * Starts a DynamoDB that returns items of `BatchWriteItem` as unprocessed, as it does while it throttles a table,
 * and that refuses calls. dynalite does neither, so this is a proxy. Every client in this process uses it.
 */
export async function startPartialDynamoDb(t: Test, table: string, key: string) {
  const { endpoint, client } = await startDynamoDb(t, table, key)
  /** The keys of the items that are not processed. */
  const unprocessed = new Set<string | undefined>()
  /** The keys of the items that fail their call. */
  const refused = new Set<string | undefined>()
  /** How many items each call has. */
  const sizes: number[] = []
  const keyOf = ({ PutRequest }: WriteRequest) => PutRequest?.Item?.[key]?.S
  const proxy = await startServer(t, async (request, response) => {
    const { RequestItems } = (await json(request)) as { RequestItems: Record<string, WriteRequest[]> }
    const puts = RequestItems[table] ?? []
    sizes.push(puts.length)
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    if (puts.some((put) => refused.has(keyOf(put)))) {
      const __type = 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException'
      response.writeHead(400).end(JSON.stringify({ __type, message: 'no table' }))
      return
    }
    const held = puts.filter((put) => unprocessed.has(keyOf(put)))
    const kept = puts.filter((put) => !unprocessed.has(keyOf(put)))
    const { host: _host, 'content-length': _length, ...headers } = request.headers as Record<string, string>
    const body = JSON.stringify({ RequestItems: { [table]: kept } })
    const forwarded = await fetch(endpoint, { method: 'POST', headers, body })
    const result = (await forwarded.json()) as { UnprocessedItems?: object }
    if (forwarded.ok && held.length > 0) result.UnprocessedItems = { [table]: held }
    response.writeHead(forwarded.status).end(JSON.stringify(result))
  })
  useEndpoint('DYNAMODB', proxy)
  /** The items of the table: the value of this attribute, by key. */
  async function written(attribute: string): Promise<Record<string, string | undefined>> {
    const { Items = [] } = await client.send(new ScanCommand({ TableName: table }))
    return Object.fromEntries(Items.map((item) => [item[key]?.S, item[attribute]?.S ?? item[attribute]?.N]))
  }
  return { unprocessed, refused, sizes, written }
}
