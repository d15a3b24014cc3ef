import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import type { Test } from 'tap'

/** A request that the downstream received. */
export interface Posted {
  readonly path: string
  readonly idempotencyKey: string | undefined
  readonly body: string
}

/** A service on loopback that responds to each request with the status that `statusOf` returns. */
export async function startDownstream(statusOf: (posted: Posted) => number | Promise<number>) {
  const server = createServer(async (request, response) => {
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined
    const posted = { path: request.url as string, idempotencyKey, body: await text(request) }
    response.writeHead(await statusOf(posted)).end('the response')
  })
  return { url: await listen(server), close: () => close(server) }
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
